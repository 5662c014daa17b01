// The two pictures of a replay, before and after, and the heat maps below them.

function pictures(data, state, live, listeners, base) {
  const focus = { at: null, pinned: false };
  let drawn = [];
  const clusterNames = data.cluster.workloads.map(pathOf);
  const order = [...clusterNames.keys()].filter((w) => data.cluster.workloads[w].replicas > 0).sort((a, b) => data.cluster.workloads[b].bytesPerSecond - data.cluster.workloads[a].bytesPerSecond);
  const show = (at) => { drawn.forEach((p) => p.highlight(at)); panel.show(at); };
  const point = (at, click) => {
    if (click) {
      focus.pinned = at !== null && !(focus.pinned && same(focus.at, at));
      focus.at = focus.pinned ? at : null;
      return show(at);
    }
    show(at ?? (focus.pinned ? focus.at : null));
  };
  const panel = inspector({
    names: clusterNames, order, hint: "Point at a workload or a node to see its traffic; click to keep it. Arrow buttons go through the workloads by traffic.",
    choose: (workload) => { focus.pinned = workload !== null; focus.at = workload === null ? null : { workload }; show(focus.at); },
    describe: (at) => (at.box === undefined ? describeWorkload(data, pairOf(data, state, base), state.level, at.workload, clusterNames) : describeBox(data, pairOf(data, state, base), state.level, at.box)),
  });
  const draw = () => {
    const pair = pairOf(data, state, base);
    const geo = geography(data, pair.map((p) => p.picture));
    const scenes = scenesOf(data, geo, pair, state.level);
    scenes.forEach((scene, i) => { scene.tip = (at) => tipOf(data, geo, pair[i].picture, state.level, at, clusterNames); });
    drawn = pair.map((p, i) => picture(p.title, scenes[i], point));
    show(focus.at);
    const all = scenes.flatMap((scene) => scene.links);
    const covered = (n) => sumRates(scenes.flatMap((scene) => scene.links.slice(0, n))) / Math.max(1, sumRates(all));
    const most = Math.max(...scenes.map((scene) => scene.links.length));
    const slider = most > 1 ? linkSlider(most, Math.min(scenes[0].shown, most), covered, (n) => drawn.forEach((p) => p.show(n))) : null;
    return [slider?.node ?? null, el("div", { class: "pair pair-" + pair.length }, drawn.map((p) => p.node)), pictureLegend(levelWords[state.level])];
  };
  const maps = () => heatMaps(data, pairOf(data, state, base), state.level);
  const node = live({}, draw, ["run", "level"]);
  return [
    section(base ? "Before and after" : "Where the traffic goes", "Each box is a node, or with a dashed frame a site outside the cluster, each chip in it a workload with pods there, and each line traffic between them. Calls follow the routing that the Services configure.", node, panel.node),
    section("From node to node", "Each cell is the traffic from the callers on a node (row) to the endpoints on a node (column), both directions of an edge together. Cells on the diagonal stay on a node. Lines separate the zones. The row and column \u201celsewhere\u201d stand for the outside, except sites that have their own, and for pods without a node. Calls follow the routing that the Services configure.", live({}, maps, ["run", "level"])),
  ];
}

const same = (a, b) => a?.workload === b?.workload && a?.box === b?.box;
const sumRates = (links) => links.reduce((sum, link) => sum + link.rate, 0);

// pairOf is what is compared: the baseline and the chosen run, or the run alone.
function pairOf(data, state, base) {
  const { report } = data;
  const run = report.runs.find((r) => r.name === state.run);
  const of = (r, when) => ({ run: r, picture: data.pictures[report.runs.indexOf(r)], title: when ? `${when}: ${r.title}` : capitalised(r.title), when: when || capitalised(r.title) });
  return base && base !== run ? [of(base, "Before"), of(run, "After")] : [of(run, "")];
}

function scenesOf(data, geo, pair, level) {
  const scale = { most: 1, busiest: 1, shown: 80 };
  const first = pair.map((p, i) => sceneOf(data, geo, p.picture, i, level, scale));
  scale.most = Math.max(1, ...first.map((scene) => scene.links[0]?.rate ?? 0));
  scale.busiest = Math.max(1, ...first.flatMap((scene) => scene.boxes.map((box) => box.local + box.crossing)));
  return first.map((scene) => ({ ...scene, most: scale.most, boxes: scene.boxes.map((box) => ({ ...box, busiest: scale.busiest })) }));
}

const pictureLegend = (words) => el("p", { class: "legend" },
  el("span", { class: "key local" }, words.stays), el("span", { class: "key crossing" }, "goes " + words.crossing), el("span", { class: "key silent" }, "no traffic inside the cluster"),
  el("span", {}, "The bar at the foot of a box is its traffic; wider lines carry more. A chip is filled as far as its workload\u2019s traffic stays; where chips are too many for names, they are as blue, and pale if the workload is part of the last tenth of the traffic."));

// tipOf is one line beside the pointer.
function tipOf(data, geo, picture, level, at, names) {
  if (at.box !== undefined) return geo.names[at.box];
  const total = data.cluster.workloads[at.workload].bytesPerSecond;
  return names[at.workload] + (total ? `: ${percent(picture.workloadLocal[level][at.workload] / total)} of ${rate(total)} ${levelWords[level].stays}` : "");
}

function describeWorkload(data, pair, level, workload, names) {
  const w = data.cluster.workloads[workload];
  const words = levelWords[level];
  const places = (picture) => {
    let [nodes, pods] = [0, 0];
    for (let i = 0; i < picture.pods.length; i += 3) if (picture.pods[i] === workload) { nodes++; pods += picture.pods[i + 2]; }
    return `${plural(pods, "pod")} on ${plural(nodes, "node")}`;
  };
  const stays = (picture) => (w.bytesPerSecond ? percent(picture.workloadLocal[level][workload] / w.bytesPerSecond) : "\u2013");
  const edges = data.cluster.edges.map((edge, i) => ({ ...edge, i })).filter((edge) => edge.from === workload || edge.to === workload);
  const rows = edges.slice(0, 8).map((edge) => [
    edge.from === edge.to ? "with itself" : edge.from === workload ? "\u2192 " + names[edge.to] : "\u2190 " + names[edge.from],
    rate(edge.bytesPerSecond), ...pair.map((p) => percent(edge.bytesPerSecond ? p.picture.edgeLocal[level][edge.i] / edge.bytesPerSecond : 0))]);
  return [
    el("h3", {}, names[workload]),
    el("p", {}, `${rate(w.bytesPerSecond)} inside the cluster${data.report.input.sites ? " and with sites" : ""}; ` + (w.replicas ? `trafficDistribution of its Services: ${w.trafficDistribution}.` : w.zone || w.region ? `a site outside the cluster, in ${w.zone ? "zone " + w.zone : "region " + w.region}, which cannot move.` : "outside the cluster.")),
    plainTable(`What ${words.stays}`, ["", "Traffic", ...pair.map((p) => p.when)], [
      ["Pods", "", ...pair.map((p) => places(p.picture))],
      ["All of it", rate(w.bytesPerSecond), ...pair.map((p) => stays(p.picture))],
      ...rows]),
    edges.length > rows.length ? el("p", { class: "hint" }, `and ${plural(edges.length - rows.length, "smaller edge")}`) : null,
  ];
}

function describeBox(data, pair, level, box) {
  const node = data.cluster.nodes[box];
  const geo = geography(data, pair.map((p) => p.picture));
  const traffic = pair.map((p) => trafficOfBoxes(geo, p.picture, geo.names.length, level)[box]);
  const pods = pair.map((_, i) => geo.boxes[i][box].reduce((sum, chip) => sum + chip.count, 0));
  const where = node ? [node.region, node.zone].filter(Boolean).join(", ") : "";
  return [
    el("h3", {}, geo.names[box]),
    node?.site ? el("p", {}, `${where ? where + "; " : ""}a site outside the cluster, which cannot move.`) : node ? el("p", {}, `${where ? where + "; " : ""}${number(node.milliCPU / 1000)} cores, ${withUnit(node.memory, ["B", "KiB", "MiB", "GiB", "TiB"], 1024, "")} of memory, ${plural(node.maxPods, "pod")} at most.`) : null,
    plainTable(node?.site ? "Traffic with this site" : "Traffic of this node", ["", ...pair.map((p) => p.when)], [
      ["Pods", ...pods.map(grouped)], ["Workloads", ...pair.map((_, i) => grouped(geo.boxes[i][box].length))],
      [levelWords[level].stays, ...traffic.map((t) => rate(t.local))], ["goes " + levelWords[level].crossing, ...traffic.map((t) => rate(t.crossing))]]),
  ];
}

function heatMaps(data, pair, level) {
  const geo = geography(data, pair.map((p) => p.picture));
  const names = geo.names.concat("elsewhere");
  const most = Math.max(1, ...pair.flatMap((p) => p.picture.between));
  const spans = geo.groups.map((group) => ({ name: group.name, from: group.boxes[0] })).concat({ name: "elsewhere", from: geo.names.length });
  const maps = pair.map(({ title, picture: { between: cells } }) => heatMap({
    title, names, cells, side: geo.side, most, spans, near: (a, b) => geo.near(level, a, b),
    say: (row, column) => `${names[row]} \u2192 ${names[column]}: ${rate(cells[row * geo.side + column])}` + (row === column && row < data.cluster.nodes.length ? ", stays on the node" : ""),
  }));
  const [first, last] = [pair[0].picture.between, pair.at(-1).picture.between];
  return [el("div", { class: "pair pair-" + pair.length }, maps.map((map) => map.node)), heatLegend(levelWords[level]),
    asText("The largest pairs as a table", () => largestCells("Traffic from node to node", names, geo.side, first, last, pair.length > 1 ? pair.map((p) => p.when) : ["", pair[0].when]))];
}
