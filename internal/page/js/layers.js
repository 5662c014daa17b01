// Where the picture of the graph has its workloads, the frames of their namespaces,
// and its edges. Callers are left of the workloads they call. dagre lays out each
// namespace, and then the namespaces as boxes: its own nested graphs fail on some
// graphs and take seconds on large ones.
//
// No edge runs under a workload, nor under the frame of a third namespace. dagre
// gives each edge a free place in every column that it passes. There the edge goes
// straight; it bends between columns, where nothing else is.

const layered = { height: 24, pad: 14, head: 28, column: 40, row: 10, track: 8, frames: 48, apart: 18 };

// orient says for each pair whether it points right: the largest ones, which come
// first, do, and those that would close a circle point left.
function orient(pairs) {
  const right = new Map();
  const leads = (from, to) => {
    const seen = new Set([from]);
    for (const at of seen) {
      if (at === to) return true;
      for (const next of right.get(at) ?? []) seen.add(next); // the loop goes on to these
    }
    return false;
  };
  return pairs.map(([from, to]) => {
    const forward = !leads(to, from);
    const [left, other] = forward ? [from, to] : [to, from];
    right.set(left, (right.get(left) ?? new Set()).add(other));
    return forward;
  });
}

// layers lays out workloads {id, space, width}, one width for each space, and links
// {from, to}, the largest first. It returns boxes by workload, frames by space, and for
// each link its line: straight pieces {x0, x1, y} from left to right, and whether it
// points right. It works in slices of a few milliseconds per namespace, between which
// the page answers.
async function layers(workloads, links, width) {
  const spaceOf = new Map(workloads.map((w) => [w.id, w.space]));
  const lines = orientLinks(links, spaceOf);
  const spaces = new Map();
  for (const w of workloads) {
    if (!spaces.has(w.space)) spaces.set(w.space, { members: [], width: w.width });
    spaces.get(w.space).members.push(w.id);
  }
  const rest = slices();
  for (const [name, space] of spaces) {
    Object.assign(space, layoutSpace(space, lines, (line) => [spaceOf.get(line.left) === name, spaceOf.get(line.right) === name]));
    await rest();
  }
  const out = { boxes: new Map(), frames: new Map(), lines, width: 0, height: 0 };
  const crossing = lines.map((line, i) => ({ line, i, left: spaceOf.get(line.left), right: spaceOf.get(line.right) })).filter((c) => c.left !== c.right);
  const parts = [];
  for (const names of components([...spaces.keys()], crossing)) {
    parts.push(layoutFrames(names, spaces, crossing.filter((c) => names.includes(c.left))));
    await rest();
  }
  placeParts(out, parts, width);
  for (const [name, space] of spaces) {
    const frame = out.frames.get(name);
    for (const [id, at] of space.boxes) out.boxes.set(id, { x: frame.x + at.x, y: frame.y + at.y, width: space.width, height: layered.height });
  }
  lines.forEach((line) => routeLine(out, line, spaces, spaceOf));
  spreadEnds(out);
  return out;
}

// slices returns a function that lets the page do what waits, if it had no time for
// some milliseconds.
function slices() {
  let began = performance.now();
  return async () => {
    if (performance.now() - began < 8) return;
    performance.measure("vicinity:slice", { start: began });
    await new Promise((done) => setTimeout(done));
    began = performance.now();
  };
}

// orientLinks gives each link its left and its right end, by the namespaces first.
function orientLinks(links, spaceOf) {
  const pairs = new Map();
  for (const link of links) {
    const pair = [spaceOf.get(link.from), spaceOf.get(link.to)];
    const key = JSON.stringify(pair);
    pairs.set(key, { pair, rate: (pairs.get(key)?.rate ?? 0) + link.rate });
  }
  const between = [...pairs].filter(([, { pair }]) => pair[0] !== pair[1]).sort(([, a], [, b]) => b.rate - a.rate);
  const forward = new Map(orient(between.map(([, { pair }]) => pair)).map((is, i) => [between[i][0], is]));
  const inside = links.filter((link) => spaceOf.get(link.from) === spaceOf.get(link.to));
  const insideForward = new Map(orient(inside.map((link) => [link.from, link.to])).map((is, i) => [inside[i], is]));
  return links.map((link) => {
    const is = insideForward.get(link) ?? forward.get(JSON.stringify([spaceOf.get(link.from), spaceOf.get(link.to)]));
    return { link, forward: is, left: is ? link.from : link.to, right: is ? link.to : link.from };
  });
}

function newLayers(ranksep, nodesep) {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  return graph.setGraph({ rankdir: "LR", ranksep, nodesep, edgesep: layered.track });
}

// layoutSpace places the workloads of a namespace, and the tracks by which lines
// reach its left and right border. ends(line) says which ends are inside.
function layoutSpace({ members, width }, lines, ends) {
  const graph = newLayers(layered.column, layered.row);
  for (const id of members) graph.setNode("w" + id, { width, height: layered.height });
  const border = { left: new Set(), right: new Set() };
  const [called, calling] = [new Set(), new Set()];
  lines.forEach((line, i) => {
    const [left, right] = ends(line);
    if (left && right) {
      graph.setEdge("w" + line.left, "w" + line.right, { weight: 2 }, String(i));
      calling.add(line.left);
      called.add(line.right);
    } else if (left) border.right.add(line.left);
    else if (right) border.left.add(line.right);
  });
  // The borders are beyond all workloads, so those at an end are tied to them too.
  for (const [side, inner] of [["left", called], ["right", calling]]) {
    if (!border[side].size) continue;
    graph.setNode(side, { width: 0, height: 0 });
    for (const id of members) {
      if (!border[side].has(id) && inner.has(id)) continue;
      const [from, to] = side === "left" ? ["left", "w" + id] : ["w" + id, "right"];
      graph.setEdge(from, to, { weight: border[side].has(id) ? 1 : 0 }, side + id);
    }
  }
  dagre.layout(graph);
  const centres = new Map(members.map((id) => [id, graph.node("w" + id)]));
  const used = (edge) => !/^[lr]/.test(edge.name) || border[edge.name.startsWith("left") ? "left" : "right"].has(Number(edge.name.replace(/\D+/, "")));
  return cropped(centres, tracksOf(graph, [...centres.values()].map((c) => ({ x: c.x, half: width / 2 })), used), width);
}

// tracksOf returns the straight pieces of the lines in the columns between their ends.
function tracksOf(graph, columns, used = () => true) {
  const widest = new Map();
  for (const { x, half } of columns) widest.set(Math.round(x), Math.max(half, widest.get(Math.round(x)) ?? 0));
  const tracks = new Map();
  for (const edge of graph.edges()) {
    if (!used(edge)) continue;
    const points = graph.edge(edge).points.slice(1, -1).filter((p) => widest.has(Math.round(p.x)));
    tracks.set(edge.name, points.map((p) => ({ x0: p.x - widest.get(Math.round(p.x)), x1: p.x + widest.get(Math.round(p.x)), y: p.y })));
  }
  return tracks;
}

// cropped moves a namespace's content to its frame.
function cropped(centres, tracks, width) {
  const pieces = [...tracks.values()].flat();
  const [xs, ys] = [[...centres.values()].map((c) => c.x), [...centres.values()].map((c) => c.y)];
  const dx = layered.pad + width / 2 - Math.min(...xs);
  const top = Math.min(Math.min(...ys) - layered.height / 2, ...pieces.map((p) => p.y - 4));
  const bottom = Math.max(Math.max(...ys) + layered.height / 2, ...pieces.map((p) => p.y + 4));
  const dy = layered.head - top;
  return {
    boxes: new Map([...centres].map(([id, c]) => [id, { x: c.x - width / 2 + dx, y: c.y - layered.height / 2 + dy }])),
    tracks: moved(tracks, dx, dy),
    frame: { width: Math.max(...xs) - Math.min(...xs) + width + 2 * layered.pad, height: bottom - top + layered.head + layered.pad },
  };
}

const moved = (tracks, dx, dy) => new Map([...tracks].map(([name, pieces]) => [name, pieces.map((p) => ({ x0: p.x0 + dx, x1: p.x1 + dx, y: p.y + dy }))]));

// components are the names that links connect, in the order of the names.
function components(names, links) {
  const group = new Map(names.map((name) => [name, [name]]));
  for (const { left, right } of links) {
    const [a, b] = [group.get(left), group.get(right)];
    if (a === b) continue;
    a.push(...b);
    for (const name of b) group.set(name, a);
  }
  return [...new Set(group.values())];
}

// layoutFrames places namespaces that lines connect.
function layoutFrames(names, spaces, crossing) {
  const graph = newLayers(layered.frames, layered.apart);
  for (const name of names) graph.setNode(name, { ...spaces.get(name).frame });
  for (const { left, right, i } of crossing) graph.setEdge(left, right, {}, String(i));
  dagre.layout(graph);
  const frames = names.map((name) => ({ name, ...graph.node(name) }));
  const columns = frames.map((f) => ({ x: f.x, half: f.width / 2 }));
  const tracks = tracksOf(graph, columns);
  const ys = [...tracks.values()].flat().map((p) => p.y);
  const [x, y] = [Math.min(...frames.map((f) => f.x - f.width / 2)), Math.min(...frames.map((f) => f.y - f.height / 2), ...ys.map((at) => at - 5))];
  const half = (f) => Math.max(...columns.filter((c) => Math.round(c.x) === Math.round(f.x)).map((c) => c.half));
  return {
    frames: frames.map((f) => ({ name: f.name, x: f.x - f.width / 2 - x, y: f.y - f.height / 2 - y, width: f.width, height: f.height, from: f.x - half(f) - x, to: f.x + half(f) - x })),
    tracks: moved(tracks, -x, -y),
    width: Math.max(...frames.map((f) => f.x + f.width / 2)) - x,
    height: Math.max(...frames.map((f) => f.y + f.height / 2), ...ys.map((at) => at + 5)) - y,
  };
}

// placeParts sets parts side by side where the width, or the widest part, has room.
function placeParts(out, parts, width) {
  const most = Math.max(width, ...parts.map((part) => part.width));
  let [x, y, tallest] = [0, 0, 0];
  out.tracks = new Map();
  for (const part of parts.sort((a, b) => b.height - a.height)) {
    if (x > 0 && x + part.width > most) [x, y, tallest] = [0, y + tallest + layered.apart, 0];
    for (const f of part.frames) out.frames.set(f.name, { ...f, x: f.x + x, y: f.y + y, from: f.from + x, to: f.to + x });
    for (const [name, pieces] of moved(part.tracks, x, y)) out.tracks.set(name, pieces);
    tallest = Math.max(tallest, part.height);
    out.width = Math.max(out.width, x + part.width);
    out.height = Math.max(out.height, y + tallest);
    x += part.width + layered.apart;
  }
}

// routeLine gives a line its pieces, the first and the last of them at its ends.
function routeLine(out, line, spaces, spaceOf) {
  const [a, b] = [out.boxes.get(line.left), out.boxes.get(line.right)];
  const piece = (x, y) => ({ x0: x, x1: x, y });
  const [start, end] = [piece(a.x + a.width, a.y + a.height / 2), piece(b.x, b.y + b.height / 2)];
  const inner = (name, track) => {
    const frame = out.frames.get(name);
    return (spaces.get(name).tracks.get(track) ?? []).map((p) => ({ x0: p.x0 + frame.x, x1: p.x1 + frame.x, y: p.y + frame.y }));
  };
  const [left, right] = [spaceOf.get(line.left), spaceOf.get(line.right)];
  const name = String(out.lines.indexOf(line));
  if (left === right) {
    line.pieces = [start, ...inner(left, name), end];
    return;
  }
  const before = [start, ...inner(left, "right" + line.left)];
  const after = [...inner(right, "left" + line.right), end];
  before.at(-1).x1 = out.frames.get(left).to;
  after[0].x0 = out.frames.get(right).from;
  line.pieces = [...before, ...out.tracks.get(name), ...after];
}

// spreadEnds parts the lines that meet at one side of a workload, in the order in
// which they arrive.
function spreadEnds(out) {
  const sides = new Map();
  for (const line of out.lines) {
    for (const [id, at, next] of [["r" + line.left, 0, 1], ["l" + line.right, -1, -2]]) {
      sides.set(id, (sides.get(id) ?? []).concat({ piece: line.pieces.at(at), y: line.pieces.at(next).y }));
    }
  }
  for (const ends of sides.values()) {
    const places = [...new Set(ends.map((end) => end.y))].sort((a, b) => a - b);
    const step = Math.min(5, (layered.height - 8) / Math.max(1, places.length - 1));
    for (const { piece, y } of ends) piece.y += (places.indexOf(y) - (places.length - 1) / 2) * step;
  }
}
