// The slices of one variant alone, where there are many; and the legend of the maps.
"use strict";

(() => {
  const choice = document.getElementById("slices-choice");
  const names = Object.keys(report.charts.specs).filter((name) => name.startsWith("slices "));
  for (const name of names) {
    report.prepare[name] = (spec) => {
      if (!choice?.value) return spec;
      const layers = spec.layer.filter((layer) => layer.data.values.some((row) => row.of !== undefined));
      for (const { data } of layers) data.values = data.values.filter((row) => row.of === choice.value);
      const slices = new Set(layers.flatMap(({ data }) => data.values.map((row) => row.key)));
      spec.height = Math.max(26, 26 * slices.size);
      return spec;
    };
  }
  choice?.addEventListener("change", () => names.forEach((name) => report.draw(name)));
  const legend = document.getElementById("map-legend");
  if (legend) report.legend(legend, report.data.groups, report.data.maps);
})();
