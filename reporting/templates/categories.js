// The table of categories: a tree that is sorted, searched and opened; only the rows that are in view are drawn.
"use strict";

(() => {
  const data = report.data;
  const table = document.getElementById("category-table");
  if (!table) return;
  const { categories: c, axis } = data;
  const { element } = report;
  const count = c.name.length;
  const scroll = document.getElementById("category-scroll");
  const search = document.getElementById("category-search");
  const flat = document.getElementById("category-flat");
  const body = table.tBodies[0];
  const ROW = 34;

  const whole = new Intl.NumberFormat("en");
  const formats = {};
  const fixed = (digits) => (formats[digits] ??= new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  const two = fixed(2), three = fixed(3), one = fixed(1);
  const dash = "–";
  const show = (format, value) => (value === null || value === undefined ? dash : format.format(value));
  const sign = (value, format) => {
    if (value === null || value === undefined) return dash;
    const size = format.format(Math.abs(value));
    return (value < 0 && Number(size) !== 0 ? "−" : "+") + size;
  };
  const axisText = (end) => (axis.low < 0 ? sign(end, fixed(axis.digits)) : two.format(end));
  const value = (column, node) => c[column][node]?.[0] ?? null;

  // What a column of each kind sorts by and shows; `id` names its values, of which an estimate is [value, low, high].
  const kinds = {
    name: ({ id }) => ({ sort: (node) => c[id][node] }),
    count: ({ id }) => ({ sort: (node) => c[id][node], cell: (node) => show(whole, c[id][node]) }),
    share: ({ id }) => ({ sort: (node) => c[id][node], cell: (node) => (c[id][node] === null ? dash : `${one.format(100 * c[id][node])} %`) }),
    figure: ({ id, digits }) => ({ sort: (node) => value(id, node), cell: (node) => show(fixed(digits), value(id, node)) }),
    interval: ({ id }) => ({ sort: (node) => width(id, node), cell: (node) => bar(c[id][node]) }),
    difference: ({ id, digits }) => ({ sort: (node) => value(id, node), cell: (node) => change(c[id][node], fixed(digits)) }),
  };
  const columns = data.columns.map((column) => ({ ...column, ...kinds[column.kind](column) }));

  function width(column, node) {
    const found = c[column][node];
    return found && found[1] !== null && found[2] !== null ? found[2] - found[1] : null;
  }

  function bar(estimate) {
    if (!estimate) return "";
    const share = (x) => Math.min(1, Math.max(0, (x - axis.low) / (axis.high - axis.low || 1)));
    const [middle, low, high] = [estimate[0], estimate[1] ?? estimate[0], estimate[2] ?? estimate[0]];
    // Without an interval there is no telling.
    const side = axis.line === null || axis.neutral || estimate[1] === null ? "" : low > axis.line ? " above" : high < axis.line ? " below" : "";
    const words = `${three.format(middle)}, ${three.format(low)} to ${three.format(high)}`;
    const made = element("span", { class: `interval${side}`, role: "img", "aria-label": words }, element("i"), element("b"));
    const places = { low: share(low), high: share(high), value: share(middle), line: share(axis.line ?? axis.low) };
    for (const [name, place] of Object.entries(places)) made.style.setProperty(`--${name}`, place.toFixed(4));
    return made;
  }

  function change(estimate, format) {
    if (!estimate) return dash;
    const [middle, low, high] = estimate;
    const sure = !axis.neutral && low !== null && high !== null && (low > 0 || high < 0);
    return element("span", { class: sure ? (middle > 0 ? "good" : "bad") : "unsure" }, sign(middle, format));
  }

  const children = Array.from({ length: count }, () => []);
  const tops = [];
  for (let node = 0; node < count; node++) (c.parent[node] === null ? tops : children[c.parent[node]]).push(node);
  const lower = c.name.map((name) => name.toLocaleLowerCase());

  const open = new Set();
  let order = { column: columns[1], down: true };
  let rows = [];
  let active = 0;
  let found = null; // what the search found, with its ancestors

  const sorted = (nodes) => {
    const keys = new Map(nodes.map((node) => [node, order.column.sort(node)]));
    const direction = order.down ? -1 : 1;
    // What has no figure stands last, whichever way.
    return [...nodes].sort((a, b) => {
      const [left, right] = [keys.get(a), keys.get(b)];
      if (left === null || right === null) return (left === null) - (right === null) || a - b;
      return (left < right ? -1 : left > right ? 1 : 0) * direction || a - b;
    });
  };

  const rebuild = () => {
    const wanted = search.value.trim().toLocaleLowerCase();
    const hits = wanted ? new Set([...lower.keys()].filter((node) => lower[node].includes(wanted))) : null;
    found = hits && new Set(hits);
    for (const hit of hits ?? []) for (let up = c.parent[hit]; up !== null && !found.has(up); up = c.parent[up]) found.add(up);
    rows = [];
    if (flat.checked) {
      rows = sorted([...(hits ?? c.name.keys())]);
    } else {
      const add = (nodes) => {
        for (const node of sorted(found ? nodes.filter((child) => found.has(child)) : nodes)) {
          rows.push(node);
          if (isOpen(node)) add(children[node]);
        }
      };
      add(tops);
    }
    active = Math.min(active, Math.max(0, rows.length - 1));
    document.getElementById("category-count").textContent = hits
      ? `${whole.format(hits.size)} of ${whole.format(count)} found` : `${whole.format(count)} categories`;
    table.setAttribute("aria-rowcount", rows.length + 1);
    table.caption.textContent = `Categories, sorted by ${order.column.kind === "interval" ? "width of the interval" : order.column.title}, ${order.down ? "greatest" : "smallest"} first`;
    drawn = "";
    draw();
  };
  const isOpen = (node) => (found ? children[node].some((child) => found.has(child)) : open.has(node));

  let drawn = "";
  const draw = (all = false) => {
    const first = all ? 0 : Math.max(0, Math.floor(scroll.scrollTop / ROW) - 10);
    const last = all ? rows.length : Math.min(rows.length, first + Math.ceil(scroll.clientHeight / ROW) + 20);
    const now = `${first} ${last}`;
    if (now === drawn) return;
    drawn = now;
    const space = (lines) => element("tr", { class: "space", "aria-hidden": "true", style: `height:${lines * ROW}px` });
    body.replaceChildren(space(first), ...rows.slice(first, last).map((node, i) => line(node, first + i)), space(rows.length - last));
  };

  const line = (node, place) => {
    const below = children[node].length > 0 && !flat.checked;
    const name = element("span", { class: "name", title: c.name[node] }, ...marked(c.name[node]));
    const cells = columns.map((column) => {
      if (column.kind !== "name") {
        return element("td", { class: column.kind === "interval" ? "wide" : "n" }, column.cell(node));
      }
      const twist = element("span", { class: "twist", "aria-hidden": "true" }, below ? (isOpen(node) ? "▾" : "▸") : "");
      const parent = flat.checked && c.parent[node] !== null
        ? [element("span", { class: "small within" }, element("bdi", {}, c.name[c.parent[node]]))] : [];
      const head = element("th", { scope: "row" }, twist, name, ...parent);
      head.style.setProperty("--depth", flat.checked ? 0 : c.level[node] - 1);
      return head;
    });
    const made = element("tr", {
      "aria-level": c.level[node], "aria-rowindex": place + 2, "aria-expanded": below ? String(isOpen(node)) : null,
      tabindex: place === active ? 0 : -1, "data-node": node,
    }, ...cells);
    return made;
  };

  // A name with what was searched for pointed out.
  const marked = (name) => {
    const wanted = search.value.trim().toLocaleLowerCase();
    const place = wanted ? name.toLocaleLowerCase().indexOf(wanted) : -1;
    if (place < 0) return [element("bdi", {}, name)];
    return [element("bdi", {}, name.slice(0, place), element("mark", {}, name.slice(place, place + wanted.length)), name.slice(place + wanted.length))];
  };

  const toggle = (node) => {
    if (!children[node].length || flat.checked || found) return;
    if (!open.delete(node)) open.add(node);
    rebuild();
  };

  const go = (place) => {
    active = Math.max(0, Math.min(rows.length - 1, place));
    const head = table.tHead.offsetHeight;
    const top = active * ROW;
    if (top < scroll.scrollTop) scroll.scrollTop = top;
    else if (top + ROW + head + 40 > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top + ROW + head + 40 - scroll.clientHeight;
    drawn = "";
    draw();
    body.querySelector('tr[tabindex="0"]')?.focus({ preventScroll: true });
  };

  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-node]");
    if (!row) return;
    active = Number(row.getAttribute("aria-rowindex")) - 2;
    toggle(Number(row.dataset.node));
  });
  // Intervals on hover: in the table there is no room for them.
  body.addEventListener("pointermove", (event) => {
    const row = event.target.closest("tr[data-node]");
    if (!row || !event.target.closest("td")) return report.tooltip.hide();
    const node = Number(row.dataset.node);
    const text = ([, id, digits]) => {
      if (digits === null) return show(whole, c[id][node]);
      const [format, [middle, low, high]] = [fixed(digits), c[id][node] ?? [null, null, null]];
      return show(format, middle) + (low === null || high === null ? "" : ` (${format.format(low)} to ${format.format(high)})`);
    };
    report.tooltip.show(event, c.name[node], data.hover.map((row) => [row[0], text(row)]));
  });
  body.addEventListener("pointerleave", () => report.tooltip.hide());
  body.addEventListener("keydown", (event) => {
    const node = rows[active];
    const keys = {
      ArrowDown: () => go(active + 1),
      ArrowUp: () => go(active - 1),
      PageDown: () => go(active + 15),
      PageUp: () => go(active - 15),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      ArrowRight: () => { if (!isOpen(node) && children[node].length) { toggle(node); go(active); } else if (isOpen(node)) go(active + 1); },
      ArrowLeft: () => {
        if (isOpen(node) && !found) { toggle(node); go(active); } else if (c.parent[node] !== null) go(rows.indexOf(c.parent[node]));
      },
      Enter: () => { toggle(node); go(active); },
      " ": () => { toggle(node); go(active); },
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });

  const heads = columns.map((column) => {
    const button = element("button", { type: "button", title: column.hint || null }, column.title);
    button.addEventListener("click", () => {
      // Names from A on, figures from the greatest on.
      order = { column, down: order.column === column ? !order.down : column.kind !== "name" };
      mark();
      rebuild();
    });
    const scale = column.kind === "interval"
      ? [element("span", { class: "axis" }, ...[axis.low, axis.high].map((end) => element("span", {}, axisText(end))))] : [];
    const looks = column.kind === "name" ? null : column.kind === "interval" ? "wide" : "n";
    return element("th", { scope: "col", class: looks }, button, ...scale);
  });
  const mark = () => heads.forEach((head, i) => {
    if (columns[i] === order.column) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  table.tHead.rows[0].append(...heads);

  search.addEventListener("input", () => { scroll.scrollTop = 0; rebuild(); });
  flat.addEventListener("change", () => { scroll.scrollTop = 0; rebuild(); });
  document.getElementById("category-open").addEventListener("click", () => {
    for (let node = 0; node < count; node++) if (children[node].length) open.add(node);
    rebuild();
  });
  document.getElementById("category-close").addEventListener("click", () => { open.clear(); rebuild(); });
  scroll.addEventListener("scroll", () => draw(), { passive: true });
  addEventListener("resize", () => draw());
  addEventListener("beforeprint", () => draw(true));
  addEventListener("afterprint", () => draw());
  mark();
  rebuild();
})();
