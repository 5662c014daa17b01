// The picture of a graph: workloads as boxes in the frames of their namespaces,
// edges as lines with an arrow at the end that is called.

// layeredPicture draws a scene:
//   workloads           [{id, space, name, share}], those with the most traffic first
//   links               [{from, to, rate, near}], the largest first; most is the largest rate
//   shown               how many of the links are drawn at first
//   tip(focus)          a line for the pointer
// and calls point(focus, click) for what the pointer is on: {workload}, {space} or {link}.
function layeredPicture(title, scene, point) {
  const base = svg("g");
  const over = svg("g", { class: "over" });
  const root = svg("svg", { class: "picture layered", role: "img", "aria-label": title }, base, over);
  const tip = el("div", { class: "tip", "aria-hidden": "true", hidden: true });
  const view = el("div", { class: "view", tabindex: "0", role: "group", "aria-label": title + ". Arrow keys move between workloads, Enter keeps the highlight, Escape ends it." }, root);
  const holder = el("div", { class: "picture-holder" }, view, tip);
  const state = { count: scene.shown, asked: null, focus: null, zoom: null, width: 0, drawn: null, turn: 0 };

  async function draw() {
    if (!state.width) return;
    const began = performance.now();
    const turn = ++state.turn;
    view.setAttribute("aria-busy", "true");
    const drawn = await laidOut(scene, state);
    if (turn !== state.turn) return; // it was asked for anew meanwhile
    view.removeAttribute("aria-busy");
    state.drawn = drawn;
    performance.measure("vicinity:layout", { start: began });
    root.setAttribute("viewBox", `0 0 ${state.drawn.width} ${state.drawn.height}`);
    replace(base, drawLayers(scene, state.drawn));
    fit();
    highlight(state.focus);
    if (state.asked !== null) reveal(state.asked);
    performance.measure("vicinity:picture", { start: began });
  }

  function fit() {
    const { width, height } = state.drawn;
    const zoom = state.zoom ?? Math.min(1, Math.max(leastZoom, (state.width - viewPadding) / width));
    root.setAttribute("width", Math.floor(width * zoom));
    root.setAttribute("height", Math.floor(height * zoom));
    return zoom;
  }

  function highlight(focus) {
    state.focus = focus;
    if (!state.drawn) return;
    if (!focus) return replace(over);
    if (focus.workload !== undefined && !state.drawn.boxes.has(focus.workload)) {
      state.asked = focus.workload; // its largest edges are drawn too
      return draw();
    }
    const began = performance.now();
    replace(over, drawFocus(scene, state.drawn, focus));
    performance.measure("vicinity:highlight", { start: began });
  }

  const meaning = (event) => {
    const at = event.target.closest("[data-workload], [data-link], [data-space]")?.dataset;
    if (!at) return null;
    if (at.workload) return { workload: Number(at.workload) };
    return at.link ? { link: state.drawn.lines[at.link].link } : { space: at.space };
  };
  let last = null;
  root.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const on = meaning(event);
    moveTip(tip, on && scene.tip(on), event, holder);
    if (!sameFocus(on, last)) point(on, false);
    last = on;
  });
  root.addEventListener("pointerleave", () => {
    moveTip(tip, null);
    last = null;
    point(null, false);
  });
  root.addEventListener("click", (event) => point(meaning(event), true));
  view.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (!step && !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (!state.drawn) return;
    if (event.key === "Escape") return point(null, true);
    if (event.key === "Enter") return state.focus && point(state.focus, true);
    const next = neighbour(state.drawn.boxes, state.focus?.workload, step) ?? scene.workloads.find((w) => state.drawn.boxes.has(w.id)).id;
    point({ workload: next }, false);
    reveal(next);
  });

  // reveal scrolls the picture to a workload.
  function reveal(workload) {
    const box = state.drawn?.boxes.get(workload);
    if (!box) return;
    const zoom = root.clientWidth / state.drawn.width;
    view.scrollTo({ left: (box.x + box.width / 2) * zoom - view.clientWidth / 2, top: (box.y + box.height / 2) * zoom - view.clientHeight / 2 });
  }

  let waiting = 0;
  const zoomBy = (factor) => { if (!state.drawn) return; state.zoom = Math.min(2, Math.max(0.2, fit() * factor())); fit(); };
  const zoomButton = (text, label, factor) => el("button", { type: "button", "aria-label": label, title: label, onclick: () => zoomBy(factor) }, text);
  onWidth(holder, (width) => { state.width = width; draw(); });
  return {
    node: el("figure", { class: "picture-figure" }, el("figcaption", {}, title), holder),
    zoom: el("span", { class: "zoom", role: "group", "aria-label": "Size of the picture" },
      zoomButton("\u2212", "Smaller", () => 1 / 1.25), zoomButton("+", "Larger", () => 1.25), zoomButton("Fit", "Fit to the width", () => (state.width - viewPadding) / state.drawn.width / fit())),
    highlight,
    reveal,
    // show draws as many lines as are asked for, once nobody moves the slider any more.
    show(n) {
      state.count = n;
      state.asked = null;
      clearTimeout(waiting);
      waiting = setTimeout(draw, 120);
    },
  };
}

// Below the least zoom names cannot be read: then the picture scrolls. Padding and
// border of the view are as in the style.
const [leastZoom, viewPadding] = [0.8, 26];

const sameFocus = (a, b) => a?.workload === b?.workload && a?.space === b?.space && a?.link === b?.link;

const touches = (focus, link, spaceOf) => (focus.link ? link === focus.link : focus.workload !== undefined ? link.from === focus.workload || link.to === focus.workload : [link.from, link.to].some((w) => spaceOf(w) === focus.space));

const mostAsked = 12;

// laidOut has the links that are drawn, the workloads at their ends, and all workloads
// once all links are drawn. All names of a namespace have one width.
function laidOut(scene, { count, asked, width }) {
  const wanted = asked === null ? [] : scene.links.filter((link) => link.from === asked || link.to === asked).slice(0, mostAsked);
  const links = [...new Set([...scene.links.slice(0, count), ...wanted])];
  const ends = new Set(links.flatMap((link) => [link.from, link.to]).concat(asked ?? []));
  const workloads = scene.workloads.filter((w) => ends.has(w.id) || count >= scene.links.length);
  const widths = new Map();
  for (const w of workloads) widths.set(w.space, Math.min(170, Math.max(widths.get(w.space) ?? 70, textWidth(w.name) + 20, textWidth(w.space) - 2 * layered.pad + 24)));
  return layers(workloads.map((w) => ({ id: w.id, space: w.space, width: Math.ceil(widths.get(w.space)) })), links, width);
}

function drawLayers(scene, drawn) {
  return [
    [...drawn.frames].map(([space, f]) => svg("g", { class: "group", "data-space": space },
      svg("rect", { x: f.x + 0.5, y: f.y + 0.5, width: f.width - 1, height: f.height - 1, rx: 8 }),
      svg("text", { x: f.x + layered.pad, y: f.y + 18 }, fitted(space, f.width - 20)))),
    svg("g", { class: "links" }, [...drawn.lines.keys()].reverse().map((i) => lineOf(scene, drawn, i))),
    scene.workloads.filter((w) => drawn.boxes.has(w.id)).map((w) => boxOf(w, drawn.boxes.get(w.id))),
  ];
}

function drawFocus(scene, drawn, focus) {
  const spaceOf = (w) => scene.byId.get(w).space;
  const lines = [...drawn.lines.keys()].filter((i) => touches(focus, drawn.lines[i].link, spaceOf));
  const ends = new Set(lines.flatMap((i) => [drawn.lines[i].link.from, drawn.lines[i].link.to]).concat(focus.workload ?? []));
  const frame = drawn.frames.get(focus.space);
  const marked = focus.link ? [focus.link.from, focus.link.to] : [focus.workload].filter((w) => w !== undefined);
  const outline = (className, r, rx) => svg("rect", { class: className, x: r.x - 1, y: r.y - 1, width: r.width + 2, height: r.height + 2, rx });
  return [
    svg("rect", { class: "veil", width: drawn.width, height: drawn.height }),
    frame ? outline("marked-box", frame, 9) : null,
    svg("g", { class: "links" }, lines.reverse().map((i) => lineOf(scene, drawn, i))),
    [...ends].map((w) => boxOf(scene.byId.get(w), drawn.boxes.get(w))),
    marked.map((w) => outline("marked", drawn.boxes.get(w), 5)),
  ].flat().filter(Boolean);
}

const boxOf = (w, r) => svg("g", { class: "chip", "data-workload": w.id },
  svg("rect", { class: "ground", x: r.x, y: r.y, width: r.width, height: r.height, rx: 4 }),
  svg("rect", { class: "kept", x: r.x, y: r.y, width: r.width * w.share, height: r.height, rx: 4 }),
  svg("text", { x: r.x + 8, y: r.y + 16 }, fitted(w.name, r.width - 14)));

// lineOf is an edge: a wide invisible line for the pointer, what is seen of it, and
// its arrow.
function lineOf(scene, drawn, i) {
  const { link, pieces, forward } = drawn.lines[i];
  const wide = Math.max(0.8, 8 * Math.sqrt(Math.min(1, link.rate / scene.most)));
  const head = { length: 4 + wide, half: 2.5 + wide * 0.6 };
  const [first, last] = [pieces[0], pieces.at(-1)];
  const [x, y, way] = forward ? [last.x1, last.y, -1] : [first.x0, first.y, 1];
  const d = pathOfPieces(pieces, forward ? 0 : head.length, forward ? head.length : 0);
  return svg("g", { class: link.near ? "link local" : "link crossing", "data-link": i },
    svg("path", { class: "reach", d }),
    svg("path", { class: "stroke", d, "stroke-width": wide.toFixed(2) }),
    svg("path", { class: "head", d: `M${x.toFixed(1)} ${y.toFixed(1)}l${(way * head.length).toFixed(1)} ${(-head.half).toFixed(1)}v${(2 * head.half).toFixed(1)}z` }));
}

// pathOfPieces goes straight along the pieces and bends between them; its ends leave
// room for an arrow.
function pathOfPieces(pieces, atStart, atEnd) {
  const last = pieces.length - 1;
  let [d, before] = ["", null];
  pieces.forEach(({ x0, x1, y }, i) => {
    const [from, to] = [i === 0 ? x0 + atStart : x0, i === last ? x1 - atEnd : x1];
    if (i === 0) d = `M${from.toFixed(1)} ${y.toFixed(1)}`;
    else {
      const middle = (before.x + from) / 2;
      d += `C${middle.toFixed(1)} ${before.y.toFixed(1)} ${middle.toFixed(1)} ${y.toFixed(1)} ${from.toFixed(1)} ${y.toFixed(1)}`;
    }
    if (to > from) d += `H${to.toFixed(1)}`;
    before = { x: Math.max(from, to), y };
  });
  return d;
}

// neighbour is the nearest workload in a direction.
function neighbour(boxes, from, [dx, dy]) {
  const at = boxes.get(from);
  if (!at) return undefined;
  let [best, least] = [undefined, Infinity];
  for (const [id, box] of boxes) {
    const [x, y] = [box.x + box.width / 2 - at.x - at.width / 2, box.y - at.y];
    const ahead = x * dx + y * dy;
    const cost = ahead + 2 * Math.abs(x * dy + y * dx);
    if (ahead > 1 && cost < least) [best, least] = [id, cost];
  }
  return best;
}
