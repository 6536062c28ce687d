// The gate: a heat map of the categories that the reader chooses, and the map of the gate's vectors with its legend.
"use strict";

(() => {
  const { categories: c, experts } = report.data;
  const { element } = report;
  const MOST_ROWS = 150;
  const ROW = 20;
  const UNIT = 10000; // weights are whole ten-thousandths
  const count = c.name.length;
  const top = c.parent.map((parent) => parent);
  for (let node = 0; node < count; node++) top[node] = c.parent[node] === null ? node : top[c.parent[node]];
  const key = (place, name) => `${place} ${name}`;
  const gated = [...c.name.keys()].filter((node) => c.gate[node]);
  if (!gated.length) return;

  const choice = document.getElementById("gate-choice");
  const add = (value, text) => choice.append(element("option", { value }, text));
  const withGates = new Set(gated.map((node) => top[node]));
  const tops = [...c.name.keys()].filter((node) => withGates.has(node));
  const children = Array.from({ length: count }, () => []);
  for (let node = 0; node < count; node++) if (c.parent[node] !== null) children[c.parent[node]].push(node);
  const below = (node) => [node, ...children[node].flatMap(below)];
  const tree = new Map(tops.map((node) => [node, below(node)]));
  add("tops", "top categories");
  if (count <= MOST_ROWS) add("all", "all categories");
  for (const node of tops) add(node, c.name[node]);

  // A category that has no gate of its own has the mean of those below it, by traffic.
  const mean = (node) => {
    const nodes = below(node).filter((found) => c.gate[found]);
    const weights = nodes.map((found) => Math.max(c.requests[found], 1));
    const sum = weights.reduce((a, b) => a + b, 0);
    return Array.from({ length: experts }, (_, e) => nodes.reduce((a, found, i) => a + weights[i] * c.gate[found][e], 0) / sum);
  };
  const chosen = () => {
    if (choice.value === "tops") return tops;
    const nodes = choice.value === "all" ? tops.flatMap((node) => tree.get(node)) : tree.get(Number(choice.value));
    return nodes.filter((node) => c.gate[node] || children[node].length);
  };

  report.prepare.gates = (spec) => {
    const all = chosen();
    const rows = all.slice(0, MOST_ROWS);
    document.getElementById("gate-note").textContent = rows.length < all.length ? `the first ${rows.length} of ${all.length.toLocaleString("en")}` : "";
    let most = 0;
    const values = rows.flatMap((node, row) => {
      const gate = c.gate[node] ?? mean(node);
      const label = choice.value === "tops" ? c.name[node] : "\u2003".repeat(c.level[node] - 1) + c.name[node];
      return gate.map((weight, e) => {
        most = Math.max(most, weight / UNIT);
        const expert = String(e + 1);
        return { x: key(e, expert), y: key(row, label), name: c.name[node], expert: c.gate[node] ? expert : `${expert}, mean of those below`, value: weight / UNIT };
      });
    });
    document.getElementById("gate-top").textContent = most.toFixed(2);
    spec.data = { values };
    spec.height = rows.length * ROW;
    spec.layer[0].encoding.fillOpacity.scale.domain = [0, most || 1];
    return spec;
  };
  choice.addEventListener("change", () => report.draw("gates"));

  const legend = document.getElementById("map-legend");
  if (!legend) return;
  const shapes = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"];
  const look = new Map(tops.map((node, i) => [node, { colour: `var(--series-${i % 8 + 1})`, shape: shapes[Math.floor(i / 8) % shapes.length] }]));
  const strongest = (gate) => gate.map((weight, e) => [weight / UNIT, e + 1]).sort((a, b) => b[0] - a[0]).slice(0, 3)
    .filter(([weight]) => weight > 0).map(([weight, e]) => `${e}: ${weight.toFixed(2)}`).join(", ");
  report.prepare.map = (spec) => {
    spec.data = {
      values: gated.filter((node) => c.x[node] !== null).map((node) => ({
        x: c.x[node], y: c.y[node], name: c.name[node], in: c.name[top[node]], top: top[node], requests: c.requests[node],
        experts: strongest(c.gate[node]), ...look.get(top[node]),
      })),
    };
    return spec;
  };
  const glyphs = { circle: "●", square: "■", "triangle-up": "▲", diamond: "◆", cross: "✚", "triangle-down": "▼" };
  let picked = -1;
  const pick = (node) => report.views.map?.signal("picked", node).run();
  for (const node of tops) {
    const { colour, shape } = look.get(node);
    const swatch = element("span", { "aria-hidden": "true", style: `color:${colour}` }, glyphs[shape]);
    const button = element("button", { type: "button", "aria-pressed": "false" }, swatch, " ", element("bdi", {}, c.name[node]));
    button.addEventListener("click", () => {
      picked = picked === node ? -1 : node;
      for (const other of legend.querySelectorAll("button")) other.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-pressed", String(picked === node));
      pick(picked);
    });
    button.addEventListener("pointerenter", () => pick(node));
    button.addEventListener("pointerleave", () => pick(picked));
    legend.append(element("li", {}, button));
  }
})();
