// The picture of an assignment: nodes as boxes in their zones, workloads as chips
// inside, traffic as lines as wide as its bytes. What is highlighted is drawn
// again above a veil, so that a highlight costs what it shows and not what there is.

// picture draws a scene:
//   groups, rooms       for layout
//   boxes[i]            {name, chips: [{workload, count}], local, crossing, site}
//   name(workload), share(workload) of its traffic that stays, null for none, and
//   heavy(workload) for those that make up most of it
//   links               [{from: {box, workload}, to, rate, near}], the largest first
//   linksOf(focus)      the same, of a workload or a box
//   tip(focus)          a line for the pointer
// and calls point(focus, pinned) for what the pointer is on.
function picture(title, scene, point) {
  const base = svg("g");
  const over = svg("g", { class: "over" });
  const root = svg("svg", { class: "picture", role: "img", "aria-label": title }, base, over);
  const tip = el("div", { class: "tip", "aria-hidden": "true", hidden: true });
  const holder = el("div", { class: "picture-holder" }, root, tip);
  let form = null;
  let chips = [];
  let lines = null;
  let count = scene.shown;
  let focused = null;

  function draw(width) {
    const began = performance.now();
    form = layout(scene.groups, scene.rooms, width);
    root.setAttribute("viewBox", `0 0 ${width} ${form.height}`);
    root.setAttribute("width", width);
    root.setAttribute("height", form.height);
    chips = placeChips(scene, form);
    lines = svg("g", { class: "links" });
    drawLinks();
    replace(base, drawGroups(scene, form), drawBoxes(scene, form), lines, form.labels ? labelledChips(scene, chips) : denseChips(scene, chips));
    highlight(focused);
    performance.measure("vicinity:picture", { start: began });
  }

  function drawLinks() {
    const most = scene.most;
    replace(lines, scene.links.slice(0, count).reverse().map((link) => drawLink(link, form, chips, most)));
  }

  function highlight(focus) {
    focused = focus;
    if (!form) return;
    if (!focus) return replace(over);
    const began = performance.now();
    const links = scene.linksOf(focus).slice(0, 120);
    const marked = focus.box === undefined ? chips.filter((chip) => chip.workload === focus.workload) : [];
    const ends = new Set(links.flatMap((link) => [link.from, link.to]).filter((end) => end.workload !== undefined).map((end) => chips.at.get(end.box + ":" + end.workload)));
    const peers = [...ends].filter((chip) => chip && chip.workload !== focus.workload);
    const box = focus.box === undefined ? null : form.boxes[focus.box];
    replace(over,
      svg("rect", { class: "veil", width: form.width, height: form.height }),
      box && svg("rect", { class: "marked-box", x: box.x, y: box.y, width: box.width, height: box.height, rx: 4 }),
      svg("g", { class: "links" }, links.slice().reverse().map((link) => drawLink(link, form, chips, links[0].rate * (links.length > 30 ? 4 : 1)))),
      form.labels ? labelledChips(scene, peers.concat(marked)) : denseChips(scene, peers.concat(marked)),
      marked.map((chip) => svg("rect", { class: "marked", x: chip.x - 1, y: chip.y - 1, width: chip.width + 2, height: chip.height + 2, rx: form.labels ? 4 : 1.5 })));
    performance.measure("vicinity:highlight", { start: began });
  }

  const at = (event) => {
    const bounds = root.getBoundingClientRect();
    return hit(scene, form, chips, event.clientX - bounds.left, event.clientY - bounds.top);
  };
  let last = null;
  root.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const on = at(event);
    moveTip(tip, on && scene.tip(on), event, holder);
    if (on?.workload !== last?.workload || on?.box !== last?.box) point(on, false);
    last = on;
  });
  root.addEventListener("pointerleave", () => {
    moveTip(tip, null);
    last = null;
    point(null, false);
  });
  root.addEventListener("click", (event) => point(at(event), true));
  onWidth(holder, draw);
  return {
    node: el("figure", { class: "picture-figure" }, el("figcaption", {}, title), holder),
    highlight,
    show(n) { count = n; if (form) drawLinks(); },
  };
}

function moveTip(tip, text, event, holder) {
  tip.hidden = !text;
  if (!text) return;
  const bounds = holder.getBoundingClientRect();
  const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
  tip.textContent = text;
  tip.style.left = Math.max(0, Math.min(x + 14, bounds.width - tip.offsetWidth)) + "px";
  tip.style.top = (y > 60 ? y - 12 - tip.offsetHeight : y + 20) + "px";
}

function placeChips(scene, form) {
  const chips = [];
  chips.at = new Map();
  scene.boxes.forEach((box, i) => box.chips.forEach((chip, position) => {
    const placed = { ...chip, box: i, ...chipRect(form, form.boxes[i], position) };
    chips.push(placed);
    chips.at.set(i + ":" + chip.workload, placed);
  }));
  return chips;
}

function hit(scene, form, chips, x, y) {
  const inside = (r) => x >= r.x && x < r.x + r.width && y >= r.y && y < r.y + r.height;
  const box = form?.boxes.findIndex((b) => b && inside(b)) ?? -1;
  if (box < 0) return null;
  for (const { workload } of scene.boxes[box].chips) {
    if (inside(chips.at.get(box + ":" + workload))) return { workload };
  }
  return { box };
}

const drawGroups = (scene, form) => form.groups.map((group) => svg("g", { class: "group" },
  svg("rect", { x: group.x + 0.5, y: group.y + 0.5, width: group.width - 1, height: group.height - 1, rx: 8 }),
  group.name ? svg("text", { x: group.x + form.pad + 2, y: group.y + (form.labels ? 20 : 17) }, fitted(group.name, group.width - 20)) : null));

function drawBoxes(scene, form) {
  const busiest = Math.max(1, ...scene.boxes.map((box) => box.busiest ?? box.local + box.crossing));
  return scene.boxes.map((box, i) => {
    const { x, y, width, height } = form.boxes[i];
    const bar = ((box.local + box.crossing) / busiest) * (width - 8);
    const local = box.local + box.crossing > 0 ? (bar * box.local) / (box.local + box.crossing) : 0;
    return svg("g", { class: box.site ? "box site" : "box" },
      svg("rect", { class: "frame", x: x + 0.5, y: y + 0.5, width: width - 1, height: height - 1, rx: form.labels ? 6 : 3 }),
      form.labels ? svg("text", { x: x + 8, y: y + 15 }, fitted(box.name, width - 16)) : null,
      svg("rect", { class: "local", x: x + 4, y: y + height - 6, width: local, height: 3 }),
      svg("rect", { class: "crossing", x: x + 4 + local, y: y + height - 6, width: Math.max(bar - local, 0), height: 3 }));
  });
}

// labelledChips have a name on a ground that is filled as far as traffic stays.
const labelledChips = (scene, chips) => chips.map((chip) => {
  const share = scene.share(chip.workload);
  const { x, y, width, height } = chip;
  const many = chip.count > 1 ? "\u00d7" + chip.count : "";
  return svg("g", { class: "chip" },
    svg("rect", { class: share === null ? "silent" : "ground", x, y, width, height, rx: 3 }),
    share ? svg("rect", { class: "kept", x, y, width: width * share, height, rx: 3 }) : null,
    svg("text", { x: x + 6, y: y + 14 }, fitted(scene.name(chip.workload), width - 12 - 7 * many.length)),
    many ? svg("text", { x: x + width - 6, y: y + 14, "text-anchor": "end", class: "many" }, many) : null);
});

// denseChips draws thousands of squares as one path for each of a few tones.
function denseChips(scene, chips) {
  const tones = new Map();
  for (const chip of chips) {
    const share = scene.share(chip.workload);
    const tone = share === null ? "silent" : "tone-" + Math.min(4, Math.floor(share * 5)) + (scene.heavy(chip.workload) ? "" : " small");
    tones.set(tone, (tones.get(tone) ?? "") + `M${chip.x.toFixed(1)} ${chip.y.toFixed(1)}h${chip.width}v${chip.height}h-${chip.width}z`);
  }
  return [...tones].map(([tone, d]) => svg("path", { class: tone, d }));
}

function drawLink(link, form, chips, most) {
  const [a, b] = [link.from, link.to].map((end) => (end.workload === undefined ? undefined : chips.at.get(end.box + ":" + end.workload)) ?? middle(form.boxes[end.box]));
  const width = Math.max(0.6, (form.labels ? 8 : 6) * Math.sqrt(Math.min(1, link.rate / most)));
  return svg("path", { class: link.near ? "link local" : "link crossing", d: form.labels && a.height < 40 && b.height < 40 ? sideways(a, b) : bow(centre(a), centre(b)), "stroke-width": width.toFixed(2) });
}

const centre = (r) => ({ x: r.x + r.width / 2, y: r.y + r.height / 2 });
const middle = (box) => ({ x: box.x + box.width / 2 - 1, y: box.y + box.height / 2 - 1, width: 2, height: 2 });

function bow(a, b) {
  const [mx, my] = [(a.x + b.x) / 2 - (b.y - a.y) * 0.16, (a.y + b.y) / 2 + (b.x - a.x) * 0.16];
  return `M${a.x.toFixed(1)} ${a.y.toFixed(1)}Q${mx.toFixed(1)} ${my.toFixed(1)} ${b.x.toFixed(1)} ${b.y.toFixed(1)}`;
}

// sideways leaves a chip at the side that faces the other one.
function sideways(a, b) {
  const [ay, by] = [a.y + a.height / 2, b.y + b.height / 2];
  const rightwards = b.x > a.x + a.width / 2;
  const column = Math.abs(a.x - b.x) < 4;
  const reachable = a.box === b.box ? labelled.gutter + 4 : 34;
  const ax = column || rightwards ? a.x + a.width : a.x;
  const bx = column || !rightwards ? b.x + b.width : b.x;
  const reach = column ? Math.min(reachable, 12 + Math.abs(by - ay) / 6) : Math.abs(bx - ax) / 2;
  const [c1, c2] = column ? [ax + reach, bx + reach] : rightwards ? [ax + reach, bx - reach] : [ax - reach, bx + reach];
  return `M${ax.toFixed(1)} ${ay.toFixed(1)}C${c1.toFixed(1)} ${ay.toFixed(1)} ${c2.toFixed(1)} ${by.toFixed(1)} ${bx.toFixed(1)} ${by.toFixed(1)}`;
}

// fitted shortens a name to a width, in the middle: both ends of a name tell names
// apart. The style's font sizes are 11 and 12 pixels.
const ruler = document.createElement("canvas").getContext("2d");

function textWidth(text) {
  ruler.font = "600 11.5px " + getComputedStyle(document.body).fontFamily;
  return ruler.measureText(text).width;
}

function fitted(name, width) {
  const wide = textWidth(name);
  if (wide <= width) return name;
  const most = Math.max(2, Math.floor((name.length * width) / wide) - 1);
  const head = Math.ceil(most / 2);
  return name.slice(0, head) + "\u2026" + name.slice(name.length - (most - head));
}
