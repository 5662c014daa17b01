// A heat map of traffic from row to column, on a canvas. All maps of a group have
// one scale, which is the logarithm.

// heatMap draws cells[row * side + column]. near(row, column) says whether a cell
// is local, and say(row, column) describes it. spans are the zones or namespaces,
// {name, from}, from their first row and column on.
function heatMap({ title, names, cells, side, most, near, say, spans }) {
  const canvas = el("canvas", { role: "img", tabindex: "0", "aria-label": title + ". Rows are callers, columns are what they call. Arrow keys move from cell to cell." });
  const readout = el("p", { class: "readout", role: "status" }, "Point at a cell, or move with the arrow keys.");
  const [rows, columns] = [el("div"), el("div")];
  const corner = el("div", { class: "corner" }, el("span", {}, "called \u2192"), el("span", {}, "caller \u2193"));
  const holder = el("div", { class: "heat" }, corner, columns, rows, canvas);
  let cell = 1;
  let cursor = null;

  function draw() {
    const context = canvas.getContext("2d");
    const [base, local, crossing, ink] = ["--heat-empty", "--local", "--crossing", "--ink"].map(cssColour);
    context.globalAlpha = 1;
    context.fillStyle = base;
    context.fillRect(0, 0, canvas.width, canvas.height);
    const gap = cell >= 10 ? 1 : 0;
    const least = most / 1e4; // four orders of magnitude
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const value = cells[row * side + column];
        if (value <= least) continue;
        context.globalAlpha = 0.12 + 0.88 * (Math.log(value / least) / Math.log(most / least));
        context.fillStyle = near(row, column) ? local : crossing;
        context.fillRect(column * cell, row * cell, cell - gap, cell - gap);
      }
    }
    context.globalAlpha = 0.35;
    context.fillStyle = ink;
    for (const { from: at } of spans.slice(1)) {
      context.fillRect(0, at * cell - 1, canvas.width, 1);
      context.fillRect(at * cell - 1, 0, 1, canvas.height);
    }
    if (cursor) {
      context.globalAlpha = 1;
      context.strokeStyle = ink;
      context.lineWidth = 2 * devicePixelRatio;
      context.strokeRect(cursor.column * cell, cursor.row * cell, cell, cell);
    }
  }

  function move(row, column) {
    cursor = { row: Math.min(side - 1, Math.max(0, row)), column: Math.min(side - 1, Math.max(0, column)) };
    readout.textContent = say(cursor.row, cursor.column);
    draw();
  }

  canvas.addEventListener("pointermove", (event) => {
    const size = canvas.clientWidth / side;
    move(Math.floor(event.offsetY / size), Math.floor(event.offsetX / size));
  });
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    move((cursor?.row ?? 0) + (cursor ? step[0] : 0), (cursor?.column ?? 0) + (cursor ? step[1] : 0));
  });
  onWidth(holder, (width) => {
    const most = width < 500 ? 84 : 150;
    const all = Math.min(width - most, 560) / side >= leastLabel ? names : spans.map((span) => span.name);
    const margin = Math.ceil(Math.min(most, Math.max(64, ...all.map(textWidth)) + 12));
    const size = Math.min(width - margin, 560, Math.max(240, side * 44));
    cell = Math.max(1, Math.floor((size * devicePixelRatio) / side));
    canvas.width = canvas.height = cell * side;
    const drawn = canvas.width / devicePixelRatio;
    canvas.style.width = canvas.style.height = drawn + "px";
    holder.style.gridTemplateColumns = `${margin}px auto`;
    const labels = axisLabels(names, spans, side, drawn);
    replace(rows, axisPicture(labels, margin, drawn, false));
    replace(columns, axisPicture(labels, margin, drawn, true));
    draw();
  });
  onTheme(draw);
  return { node: el("figure", { class: "heat-figure" }, el("figcaption", {}, title), holder, readout), draw };
}

const leastLabel = 13; // pixels from one label to the next

// axisLabels are the names of rows and columns, or of the spans where there is no room
// for each name, and where they stand.
function axisLabels(names, spans, side, size) {
  const cell = size / side;
  if (cell >= leastLabel) return names.slice(0, side).map((text, i) => ({ text, at: (i + 0.5) * cell }));
  let free = 0;
  return spans.map(({ name, from }, i) => ({ text: name, from, to: spans[i + 1]?.from ?? side }))
    .map(({ text, from, to }) => ({ text, at: Math.min(((from + to) / 2) * cell, size - leastLabel / 2) }))
    .filter(({ text, at }) => text && at - leastLabel / 2 >= free && (free = at + leastLabel / 2));
}

// axisPicture draws the labels right of the rows' axis, or upright above the columns.
function axisPicture(labels, margin, size, upright) {
  const texts = labels.map(({ text, at }) => svg("text", { x: 0, y: 0, "text-anchor": upright ? "start" : "end", transform: upright ? `translate(${at + 4} ${margin - 6}) rotate(-90)` : `translate(${margin - 6} ${at + 4})` }, fitted(text, margin - 10)));
  const [width, height] = upright ? [size, margin] : [margin, size];
  return svg("svg", { class: "axis-labels", "aria-hidden": "true", width, height }, texts);
}

const heatLegend = (words) =>
  el("p", { class: "legend" }, el("span", { class: "key local" }, words.stays), el("span", { class: "key crossing" }, "goes " + words.crossing), el("span", { class: "key ramp" }, "stronger: more traffic, on a logarithmic scale"));

// largestCells is the alternative: the largest cells of two maps as a table.
function largestCells(caption, names, side, before, after, titles) {
  const order = [...before.keys()].sort((a, b) => Math.max(after[b], before[b]) - Math.max(after[a], before[a])).slice(0, 50).filter((i) => before[i] > 0 || after[i] > 0);
  const head = before === after ? ["From", "To", titles[1]] : ["From", "To", ...titles];
  return plainTable(caption, head, order.map((i) => [names[Math.floor(i / side)], names[i % side], ...(before === after ? [rate(after[i])] : [rate(before[i]), rate(after[i])])]));
}
