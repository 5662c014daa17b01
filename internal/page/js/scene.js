// What a picture of a replay shows: from the data of the page to the scenes of
// picture.js.

// others is the name of the box of all nodes that are not shown.
const othersName = (n) => plural(n, "other node");

// geography is what both pictures have in common.
function geography(data, pair) {
  const { cluster, leftOut } = data;
  const names = cluster.nodes.map((node) => node.name);
  const zoneOf = cluster.nodes.map((node) => (node.zone ? node.region + "/" + node.zone : ""));
  const groups = [];
  zoneOf.forEach((zone, i) => {
    if (groups.at(-1)?.key !== zone) groups.push({ key: zone, name: cluster.nodes[i].zone, boxes: [] });
    groups.at(-1).boxes.push(i);
  });
  if (leftOut.nodes) {
    names.push(othersName(leftOut.nodes));
    groups.push({ key: "others", name: "Not shown one by one", boxes: [names.length - 1] });
  }
  if (groups.length > 1) for (const group of groups) group.name = group.name || "No zone";
  const boxes = pair.map((picture) => chipsOf(picture, cluster, names.length, leftOut.nodes ? names.length - 1 : -1));
  const rooms = names.map((_, i) => Math.max(...boxes.map((of) => of[i].length)));
  const domain = (level, box) => (box >= cluster.nodes.length ? null : level === "node" ? box : level === "zone" ? zoneOf[box] || null : cluster.nodes[box].region || null);
  const near = (level, a, b) => a === b && a < cluster.nodes.length ? true : domain(level, a) !== null && domain(level, a) === domain(level, b);
  return { names, groups, boxes, rooms, near, side: Math.sqrt(pair[0].between.length) };
}

// chipsOf returns the workloads of each box, those with the most traffic first.
function chipsOf(picture, cluster, count, others) {
  const boxes = Array.from({ length: count }, () => []);
  for (let i = 0; i < picture.pods.length; i += 3) {
    const [workload, box, pods] = picture.pods.slice(i, i + 3);
    if (box !== others) boxes[box].push({ workload, count: pods });
  }
  const traffic = (chip) => cluster.workloads[chip.workload].bytesPerSecond;
  for (const chips of boxes) chips.sort((a, b) => traffic(b) - traffic(a) || a.workload - b.workload);
  return boxes;
}

// sceneOf is the scene of one picture at a level. most is the rate of the widest
// line, and busiest the traffic of the busiest box, of both pictures.
function sceneOf(data, geo, picture, position, level, scale) {
  const { cluster } = data;
  const heavy = heaviest(cluster.workloads);
  const local = picture.workloadLocal[level];
  const nodes = geo.names.length;
  const perBox = trafficOfBoxes(geo, picture, nodes, level);
  const links = linksOfAll(data, geo, picture, level);
  return {
    groups: geo.groups, rooms: geo.rooms, links, most: scale.most, shown: scale.shown,
    boxes: geo.names.map((name, i) => ({ name, site: cluster.nodes[i]?.site, chips: geo.boxes[position][i], ...perBox[i], busiest: scale.busiest })),
    name: (w) => cluster.workloads[w].name,
    heavy: (w) => heavy.has(w),
    share: (w) => (cluster.workloads[w].bytesPerSecond > 0 ? local[w] / cluster.workloads[w].bytesPerSecond : null),
    linksOf: (focus) => (focus.box === undefined ? partsOf(data, geo, picture, level, focus.workload) : linksOfBox(geo, picture, level, focus.box)),
  };
}

// heaviest are the workloads with the most traffic, nine tenths of all together.
function heaviest(workloads) {
  const order = [...workloads.keys()].sort((a, b) => workloads[b].bytesPerSecond - workloads[a].bytesPerSecond);
  let left = 0.9 * workloads.reduce((sum, w) => sum + w.bytesPerSecond, 0);
  return new Set(order.filter((w) => { const heavy = left > 0; left -= workloads[w].bytesPerSecond; return heavy; }));
}

// trafficOfBoxes is what the pods of each node exchange, by whether it stays
// within the node's domain.
function trafficOfBoxes(geo, picture, count, level) {
  const sums = Array.from({ length: count }, () => ({ local: 0, crossing: 0 }));
  for (let from = 0; from < geo.side; from++) {
    for (let to = 0; to < geo.side; to++) {
      const value = picture.between[from * geo.side + to];
      for (const box of from === to ? [from] : [from, to]) {
        if (box < count) sums[box][geo.near(level, from, to) ? "local" : "crossing"] += value;
      }
    }
  }
  sums.at(-1).local += picture.othersLocal ?? 0;
  return sums;
}

function parts(data, geo, picture, level, wanted) {
  const out = [];
  for (let i = 0; i < picture.parts.length; i += 4) {
    const [e, from, to, value] = picture.parts.slice(i, i + 4);
    const edge = data.cluster.edges[e];
    if (wanted(edge)) out.push({ from: { box: from, workload: edge.from }, to: { box: to, workload: edge.to }, rate: value, near: geo.near(level, from, to) });
  }
  return out;
}

const partsOf = (data, geo, picture, level, workload) => parts(data, geo, picture, level, (edge) => edge.from === workload || edge.to === workload);

// fewParts is how many parts are drawn one by one, from workload to workload;
// where there are more, lines go from node to node. The nodes that are not shown
// would hide all others: theirs are drawn when they are pointed at.
const fewParts = 400;

function linksOfAll(data, geo, picture, level) {
  if (picture.parts.length / 4 <= fewParts) return parts(data, geo, picture, level, () => true);
  return between(geo, picture, level, (_, b) => b < data.cluster.nodes.length);
}

const linksOfBox = (geo, picture, level, box) => between(geo, picture, level, (a, b) => a === box || b === box).slice(0, 40);

function between(geo, picture, level, wanted) {
  const links = [];
  for (let a = 0; a < geo.names.length; a++) {
    for (let b = a + 1; b < geo.names.length; b++) {
      const value = picture.between[a * geo.side + b] + picture.between[b * geo.side + a];
      if (value > 0 && wanted(a, b)) links.push({ from: { box: a }, to: { box: b }, rate: value, near: geo.near(level, a, b) });
    }
  }
  return links.sort((x, y) => y.rate - x.rate);
}
