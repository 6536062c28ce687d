// A legend whose entries point out their points in charts that have a parameter `picked`: by hovering for a moment, by a
// click until the next.
"use strict";

report.legend = (list, entries, charts) => {
  const { element } = report;
  let picked = -1;
  const pick = (id) => { for (const chart of charts) report.views[chart]?.signal("picked", id).run(); };
  for (const { id, name, colour, glyph } of entries) {
    const swatch = element("i", { "aria-hidden": "true", style: `--colour:${colour}` }, glyph);
    const button = element("button", { type: "button", "aria-pressed": "false" }, swatch, element("bdi", {}, name));
    button.addEventListener("click", () => {
      picked = picked === id ? -1 : id;
      for (const other of list.querySelectorAll("button")) other.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-pressed", String(picked === id));
      pick(picked);
    });
    button.addEventListener("pointerenter", () => pick(id));
    button.addEventListener("pointerleave", () => pick(picked));
    list.append(element("li", {}, button));
  }
};
