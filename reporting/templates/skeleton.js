// What every report does: theme, contents, charts that are drawn when they are needed, and what hovering shows.
// Names are only ever put into text nodes.
"use strict";

const report = (() => {
  const root = document.documentElement;
  const stored = () => {
    try { return localStorage.getItem("report-theme"); } catch { return null; }
  };
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  if (stored()) root.dataset.theme = stored();

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };

  const state = { views: {}, prepare: {}, element };
  for (const part of ["data", "charts"]) {
    let read;
    Object.defineProperty(state, part, {
      get: () => (read ??= JSON.parse(document.getElementById(`report-${part}`).textContent)),
    });
  }

  // A tooltip of rows [label, text], or with a heading alone.
  const tooltip = {
    show(event, heading, rows) {
      const box = document.getElementById("tooltip");
      box.replaceChildren(element("strong", {}, element("bdi", {}, heading)));
      for (const [label, text] of rows) {
        box.append(element("span", {}, label), element("bdi", {}, text));
      }
      box.hidden = false;
      const { width, height } = box.getBoundingClientRect();
      const left = event.clientX + 14 + width > innerWidth ? event.clientX - width - 14 : event.clientX + 14;
      const top = event.clientY + 14 + height > innerHeight ? event.clientY - height - 14 : event.clientY + 14;
      box.style.left = `${Math.max(4, left)}px`;
      box.style.top = `${Math.max(4, top)}px`;
    },
    hide() { document.getElementById("tooltip").hidden = true; },
  };
  state.tooltip = tooltip;

  const hover = (handler, event, item, value) => {
    if (value === null || value === undefined || value === "" || typeof value !== "object") return tooltip.hide();
    const [[, heading], ...rows] = Object.entries(value);
    tooltip.show(event, String(heading), rows.map(([label, text]) => [label, String(text)]));
  };

  // Draws a chart; a spec whose rows are made in the page has a function of its name in `prepare`.
  const drawing = {};
  state.draw = (name) => {
    const place = document.querySelector(`[data-chart="${CSS.escape(name)}"]`);
    const made = structuredClone(state.charts.specs[name]);
    const spec = state.prepare[name] ? state.prepare[name](made) : made;
    state.views[name]?.finalize();
    drawing[name] = vegaEmbed(place, spec, {
      actions: false, ast: true, config: { ...state.charts.config, font: getComputedStyle(document.body).fontFamily }, defaultStyle: false, mode: "vega-lite", renderer: "svg",
      tooltip: hover,
    }).then(({ view }) => { state.views[name] = view; place.dataset.drawn = ""; place.style.minHeight = ""; });
    return drawing[name];
  };
  const drawOnce = (name) => drawing[name] || state.draw(name);

  const startCharts = async () => {
    const places = [...document.querySelectorAll("[data-chart]")];
    if (places.length) {
      const near = (place) => place.getBoundingClientRect().top < innerHeight;
      await Promise.all(places.filter(near).map((place) => drawOnce(place.dataset.chart)));
    }
    performance.mark("drawn");
    root.dataset.drawn = "view";
    const watch = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (isIntersecting) { watch.unobserve(target); drawOnce(target.dataset.chart); }
      }
    }, { rootMargin: "400px" });
    places.forEach((place) => watch.observe(place));
    // The others when there is nothing else to do: to be there for the printer and for who jumps.
    const idle = window.requestIdleCallback || ((then) => setTimeout(then, 50));
    for (const place of places) {
      await new Promise((then) => idle(then, { timeout: 300 }));
      await drawOnce(place.dataset.chart);
    }
    performance.mark("drawn-all");
    root.dataset.drawn = "all";
  };
  addEventListener("beforeprint", () => {
    for (const place of document.querySelectorAll("[data-chart]")) drawOnce(place.dataset.chart);
    for (const details of document.querySelectorAll("main details:not([open])")) {
      details.open = true;
      details.dataset.opened = "";
    }
  });
  addEventListener("afterprint", () => {
    for (const details of document.querySelectorAll("details[data-opened]")) {
      details.open = false;
      delete details.dataset.opened;
    }
  });

  const startTheme = () => {
    const button = document.getElementById("theme");
    const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("report-theme", root.dataset.theme); } catch { /* not remembered, then */ }
      name();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
    name();
  };

  const startContents = () => {
    const links = [...document.querySelectorAll(".contents a, .menu a")];
    const menu = document.querySelector(".menu");
    menu.addEventListener("click", (event) => { if (event.target.closest("a")) menu.open = false; });
    const sections = [...document.querySelectorAll("main section[id]")];
    const mark = () => {
      const passed = sections.filter((section) => section.getBoundingClientRect().top < 140);
      const here = passed.length ? passed[passed.length - 1].id : sections[0]?.id;
      for (const link of links) {
        if (link.hash === `#${here}`) link.setAttribute("aria-current", "location");
        else link.removeAttribute("aria-current");
      }
    };
    addEventListener("scroll", () => requestAnimationFrame(mark), { passive: true });
    mark();
  };

  const startCopying = () => {
    for (const button of document.querySelectorAll("[data-copy]")) {
      button.addEventListener("click", async () => {
        const source = document.getElementById(button.dataset.copy);
        try {
          await navigator.clipboard.writeText(source.textContent);
          button.textContent = "Copied";
        } catch {
          getSelection().selectAllChildren(source);
          button.textContent = "Selected: copy with Ctrl+C";
        }
      });
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    startTheme();
    startContents();
    startCopying();
    startCharts();
  });
  return state;
})();
