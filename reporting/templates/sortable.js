// Tables of the class `sortable`: a click on a column's head sorts by it, by `data-value` of its cells or by their text.
"use strict";

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value === undefined) return cell.textContent.trim().toLocaleLowerCase();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  heads.forEach((head, column) => {
    const button = report.element("button", { type: "button", title: head.title || null }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const down = before ? before === "ascending" : head.classList.contains("n");
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keys = new Map([...body.rows].map((row) => [row, keyOf(row, column)]));
      // What has no figure stands last, whichever way.
      const sorted = [...body.rows].sort((one, other) => {
        const [left, right] = [keys.get(one), keys.get(other)];
        if (left === null || right === null) return (left === null) - (right === null);
        return (left < right ? -1 : left > right ? 1 : 0) * (down ? -1 : 1);
      });
      body.append(...sorted);
    });
  });
}
