// The gate: a heat map of the categories that the reader chooses, and the map of the gate's vectors with its legend.
"use strict";

(() => {
  const { categories: c, experts, looks } = report.data;
  const { element } = report;
  const MOST_ROWS = 250;
  const FEW_ROWS = 60; // up to which they are tall
  const MANY = 600; // points on the map, from which on they are drawn smaller, and on top of each other
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
        return { x: key(e, expert), y: key(row, label), name: c.name[node], expert, value: weight / UNIT, of: c.gate[node] ? "the category itself" : "mean of those below" };
      });
    });
    document.getElementById("gate-top").textContent = most.toFixed(2);
    spec.data = { values };
    spec.height = rows.length * (rows.length > FEW_ROWS ? 14 : 20);
    spec.layer[0].encoding.fillOpacity.scale.domain = [0, most || 1];
    return spec;
  };
  choice.addEventListener("change", () => report.draw("gates"));

  const legend = document.getElementById("map-legend");
  if (!legend) return;
  const look = new Map(tops.map((node, i) => [node, looks[i % looks.length]]));
  const strongest = (gate) => gate.map((weight, e) => [weight / UNIT, e + 1]).sort((a, b) => b[0] - a[0]).slice(0, 3)
    .filter(([weight]) => weight > 0).map(([weight, e]) => `${e}: ${weight.toFixed(2)}`).join(", ");
  // Categories with the same gate would lie on top of each other: they are laid around their place in a spiral.
  const spread = (nodes) => {
    const ends = (values) => [Math.min(...values), Math.max(...values)];
    const [[left, right], [low, high]] = [ends(nodes.map((node) => c.x[node])), ends(nodes.map((node) => c.y[node]))];
    const [wide, tall] = [(right - left) / 45 || 1, (high - low) / 40 || 1];
    const heaps = [];
    return new Map(nodes.map((node) => {
      let heap = heaps.find(({ x, y }) => Math.hypot((c.x[node] - x) / wide, (c.y[node] - y) / tall) < 1);
      if (!heap) heaps.push(heap = { x: c.x[node], y: c.y[node], count: 0 });
      const [radius, angle] = [0.8 * Math.sqrt(heap.count), 2.4 * heap.count];
      heap.count += 1;
      return [node, { x: heap.x + radius * wide * Math.cos(angle), y: heap.y + radius * tall * Math.sin(angle) }];
    }));
  };
  report.prepare.map = (spec) => {
    // The small stand before the large.
    const nodes = gated.filter((node) => c.x[node] !== null).sort((a, b) => c.requests[b] - c.requests[a]);
    const many = nodes.length > MANY;
    const places = many ? null : spread(nodes);
    if (many) spec.encoding.size.scale.range = [6, 140];
    spec.data = {
      values: nodes.map((node) => ({
        x: c.x[node], y: c.y[node], ...places?.get(node), name: c.name[node], in: c.name[top[node]], top: top[node],
        requests: c.requests[node], experts: strongest(c.gate[node]), ...look.get(top[node]),
      })),
    };
    return spec;
  };
  report.legend(legend, tops.map((node) => ({ id: node, name: c.name[node], ...look.get(node) })), ["map"]);
})();
