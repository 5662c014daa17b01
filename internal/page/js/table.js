// A table that can be searched and sorted. It shows some rows and a button for
// more, so that thousands of rows cost nothing.

const rowsAtATime = 25;

// searchTable shows rows. A column has a title, value(row) to sort by, and
// cell(row), a text or a node; numeric columns begin with the largest. The sums are rows
// that stay at the end.
function searchTable({ label, columns, rows, sums = [], text, sortBy = 0, note }) {
  let shown = rowsAtATime;
  let order = { column: sortBy, down: columns[sortBy].numeric === true };
  let current = rows;
  const body = el("tbody");
  const status = el("p", { class: "status", role: "status" });
  const more = el("button", { type: "button", class: "more", onclick: () => { shown += 8 * rowsAtATime; draw(); } });
  const search = el("input", { type: "search", placeholder: "Search names", "aria-label": "Search " + label, autocomplete: "off", spellcheck: "false", oninput: () => { shown = rowsAtATime; draw(); } });
  const heads = columns.map((column, i) => {
    const button = el("button", { type: "button", onclick: () => {
      order = { column: i, down: order.column === i ? !order.down : column.numeric === true };
      draw();
    } }, column.title);
    return el("th", { scope: "col", class: column.numeric && "n" }, button);
  });

  function matching() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    return current.filter((row) => words.every((word) => text(row).toLowerCase().includes(word)));
  }

  const line = (row) => el("tr", {}, columns.map((column, i) => {
    const cell = column.cell(row);
    return i === 0 ? el("th", { scope: "row" }, [cell].flat()) : el("td", { class: column.numeric && "n" }, cell);
  }));

  function draw() {
    const found = matching();
    const { value } = columns[order.column];
    const sign = order.down ? -1 : 1;
    const sorted = found
      .map((row) => [value(row), row])
      .sort(([a], [b]) => sign * (typeof a === "string" ? a.localeCompare(b, "en") : a - b))
      .slice(0, shown)
      .map(([, row]) => row);
    heads.forEach((th, i) => {
      if (i === order.column) th.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
    replace(body, sorted.map(line));
    status.textContent = found.length === current.length ? plural(current.length, label.replace(/s$/, "")) : grouped(found.length) + " of " + plural(current.length, label.replace(/s$/, ""));
    if (note) status.textContent += "; " + note;
    more.hidden = found.length <= shown;
    more.textContent = "Show " + grouped(Math.min(8 * rowsAtATime, found.length - shown)) + " more";
  }
  draw();
  const node = el("div", { class: "search-table" }, el("div", { class: "tools" }, search, status),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, el("table", {}, el("thead", {}, el("tr", {}, heads)), body, sums.length ? el("tfoot", {}, sums.map(line)) : null)), more);
  return { node, redraw(next = current) { current = next; draw(); } };
}
