// The page of a live graph: workloads in their namespaces, without any node.

function graphPage(graph, page) {
  const model = graphModel(graph);
  replace(page.bar, el("span", { class: "brand" }, "Vicinity"), themeButton());
  replace(page.main,
    el("section", { class: "hero", "aria-label": "Result" },
      el("p", { class: "eyebrow" }, graphEyebrow(graph)),
      el("div", { class: "headline" }, graphHeadline(graph, model)),
      graphTiles(graph)),
    model.names.length ? [graphPicture(model), graphMap(model), graphTables(graph, model)] : null,
    graphBasis(graph));
  replace(page.foot, `${graph.schema} \u00b7 made by vicinity graph; this file needs no network.`);
}

const bytesOf = (rates) => rates.sentBytesPerSecond + rates.receivedBytesPerSecond;

// graphModel numbers the workloads that the edges name.
function graphModel(graph) {
  const ids = new Map();
  const workloads = [];
  const at = (w) => {
    const name = pathOf(w);
    if (!ids.has(name)) { ids.set(name, workloads.length); workloads.push({ ...w, traffic: 0 }); }
    return ids.get(name);
  };
  const edges = graph.edges.map((edge) => ({ ...edge, from: at(edge.from), to: at(edge.to), rate: bytesOf(edge) }));
  for (const { from, to, rate: value } of edges) for (const w of new Set([from, to])) workloads[w].traffic += value;
  const order = [...workloads.keys()].sort((a, b) => workloads[b].traffic - workloads[a].traffic);
  return { edges: edges.sort((a, b) => b.rate - a.rate), workloads, order, names: workloads.map(pathOf) };
}

function graphHeadline(graph, model) {
  const { total } = graph;
  if (!model.edges.length) return [el("h1", {}, "The graph is empty."), graphConditions(graph)];
  const largest = model.edges[0];
  const [from, to] = [model.names[largest.from], model.names[largest.to]];
  return [
    el("h1", {}, el("strong", {}, plural(total.workloads, "workload")), " exchange ", el("strong", { class: "local" }, rate(bytesOf(total))), ` over ${plural(total.edges, "edge")}.`),
    el("p", { class: "saves" }, "The largest is ", el("strong", {}, `${from} \u2192 ${to}`), `, ${rate(largest.rate)}, ${percent(largest.share)} of all bytes.`),
    graphConditions(graph),
  ];
}

// graphConditions says what makes the figures wrong or incomplete.
function graphConditions(graph) {
  const found = graph.sources.flatMap((s) => (s.conditions ?? []).map((c) => ({ source: s.name, ...c })));
  if (!found.length) return null;
  return el("ul", { class: "conditions", "aria-label": "Warnings" }, found.map((c) => el("li", { "data-condition": c.condition },
    el("strong", {}, `${c.source}: ${c.what}${c.names?.length ? " (" + c.names.join(", ") + ")" : ""}.`), ` ${c.why}. Next: ${c.next}.`)));
}

// graphLeftOut is the traffic that all sources left out, in bytes per second.
const graphLeftOut = (graph) => graph.sources.flatMap((s) => s.leftOut).reduce((sum, l) => ({ series: sum.series + l.series, bytes: sum.bytes + l.bytesPerSecond }), { series: 0, bytes: 0 });

const graphEyebrow = (graph) =>
  [`Data of ${graph.dataAt}`, graph.namespace ? `namespace ${graph.namespace}` : null, plural(graph.sources.length, "source")].filter(Boolean).join(" \u00b7 ");

function graphTiles(graph) {
  const { total, matching, notShown } = graph;
  const left = graphLeftOut(graph);
  const rows = [
    ["Bytes", "bytes", rate(bytesOf(total))], ["Requests", "requests", number(total.requestsPerSecond) + "/s"],
    ["Of a workload with itself", "selfFlow", rate(bytesOf(total.selfFlow))],
    left.series && ["Left out, for the reasons below", "leftOut", rate(left.bytes)],
    matching && ["In the namespace", "matching", rate(bytesOf(matching))],
    notShown && ["Smaller edges, not on this page", "notShown", `${grouped(notShown.edges)} with ${rate(bytesOf(notShown))}`],
  ].filter(Boolean);
  return el("dl", { class: "tiles" }, rows.map(([label, key, text]) => el("div", { class: "tile", "data-figure": key }, el("dt", {}, label), el("dd", { class: "now" }, text))));
}

function graphScene(model) {
  const busiest = Math.max(1, model.workloads[model.order[0]].traffic);
  const workloads = model.order.map((id) => ({ id, space: model.workloads[id].namespace, name: model.workloads[id].name, share: model.workloads[id].traffic / busiest }));
  const links = model.edges.filter((edge) => edge.from !== edge.to).map((edge) => ({ ...edge, near: model.workloads[edge.from].namespace === model.workloads[edge.to].namespace }));
  const arrow = (link) => `${model.names[link.from]} \u2192 ${model.names[link.to]}`;
  return {
    workloads, links, most: links[0]?.rate ?? 1, shown: Math.min(links.length, linesAtFirst), arrow,
    byId: new Map(workloads.map((w) => [w.id, w])),
    tip: (at) => (at.link ? `${arrow(at.link)}: ${rate(at.link.rate)}` : at.space !== undefined ? at.space : `${model.names[at.workload]}: ${rate(model.workloads[at.workload].traffic)}`),
  };
}

// Lines at first, and at most: nobody can follow one line of more, and the page stands
// still while they are laid out.
const [linesAtFirst, linesAtMost] = [80, 200];

function graphPicture(model) {
  const scene = graphScene(model);
  let pinned = null;
  const show = (at) => { drawn.highlight(at); panel.show(at); };
  const drawn = layeredPicture("Workloads in their namespaces", scene, (at, click) => {
    if (click) pinned = sameFocus(pinned, at) ? null : at;
    show(at ?? pinned);
  });
  const panel = inspector({ names: model.names, order: model.order, describe: (at) => describeGraph(model, scene, at),
    choose: (workload) => { pinned = workload === null ? null : { workload }; show(pinned); if (pinned) drawn.reveal(workload); },
    hint: "Point at a workload, a namespace or a line to see its traffic; click to keep the highlight. In the picture, the arrow keys do the same. The arrow buttons go through the workloads by traffic." });
  const covered = (n) => sumRates(scene.links.slice(0, n)) / Math.max(1, sumRates(scene.links));
  const slider = scene.links.length > 1 ? linkSlider(scene.links.length, scene.shown, covered, drawn.show, linesAtMost) : null;
  return section("The graph", "Each box is a workload in the frame of its namespace, filled by its traffic relative to the busiest workload. Each line is an edge, from the caller to the workload that it calls; wider lines carry more bytes. Only workloads at the ends of the lines are drawn.",
    el("div", { class: "tools" }, slider?.node ?? null, drawn.zoom), drawn.node,
    el("p", { class: "legend" }, el("span", { class: "key local" }, "within a namespace"), el("span", { class: "key crossing" }, "between namespaces")), panel.node);
}

// describeGraph is what the panel says of a workload, a namespace or an edge.
function describeGraph(model, scene, at) {
  const edges = scene.links.filter((link) => touches(at, link, (w) => model.workloads[w].namespace)).slice(0, 10);
  const title = at.link ? scene.arrow(at.link) : at.space ?? model.names[at.workload];
  const total = at.workload === undefined ? null : el("p", {}, `${rate(model.workloads[at.workload].traffic)} in all, traffic with itself included.`);
  const name = (link) => (link.from === at.workload ? `\u2192 ${model.names[link.to]}` : link.to === at.workload ? `\u2190 ${model.names[link.from]}` : scene.arrow(link));
  const requests = edges.some((link) => link.requestsPerSecond > 0);
  const cells = (link) => [name(link), rate(link.rate), ...(requests ? [link.requestsPerSecond ? number(link.requestsPerSecond) : "\u2013"] : [])];
  return [el("h3", {}, title), total, edges.length ? plainTable("Largest edges", ["Largest edges", "Bytes", ...(requests ? ["Requests/s"] : [])], edges.map(cells)) : null];
}

const mapSize = 60;

// graphMap is of the workloads with the most traffic, those of a namespace side by side.
function graphMap(model) {
  const shown = model.order.slice(0, mapSize).sort((a, b) => model.names[a].localeCompare(model.names[b], "en"));
  const at = new Map(shown.map((w, i) => [w, i]));
  const side = shown.length;
  const cells = new Array(side * side).fill(0);
  for (const edge of model.edges) {
    if (at.has(edge.from) && at.has(edge.to)) cells[at.get(edge.from) * side + at.get(edge.to)] += edge.rate;
  }
  const names = shown.map((w) => model.names[w]);
  const space = (i) => model.workloads[shown[i]].namespace;
  const spans = shown.map((_, i) => ({ name: space(i), from: i })).filter(({ from }) => from === 0 || space(from) !== space(from - 1));
  const map = heatMap({ spans, title: side < model.names.length ? `The ${side} workloads with the most traffic` : "All workloads", names, cells, side, most: Math.max(1, ...cells), near: (a, b) => space(a) === space(b), say: (row, column) => `${names[row]} \u2192 ${names[column]}: ${rate(cells[row * side + column])}` });
  return section("From workload to workload", "Each cell is the traffic from a caller (row) to the workload that it calls (column), both directions together. Lines separate the namespaces.", map.node,
    heatLegend({ stays: "stays in a namespace", crossing: "between namespaces" }),
    asText("The largest pairs as a table", () => largestCells("Traffic from workload to workload", names, side, cells, cells, ["", "Bytes"])));
}

function graphTables(graph, model) {
  const edges = searchTable({ label: "edges", rows: model.edges, text: (r) => model.names[r.from] + " " + model.names[r.to], sortBy: 4,
    note: graph.notShown ? `${plural(graph.notShown.edges, "smaller edge")} left out` : null,
    columns: [
      { title: "From", value: (r) => model.names[r.from], cell: (r) => model.names[r.from] },
      { title: "To", value: (r) => model.names[r.to], cell: (r) => model.names[r.to] },
      { title: "Sent", numeric: true, value: (r) => r.sentBytesPerSecond, cell: (r) => rate(r.sentBytesPerSecond) },
      { title: "Received", numeric: true, value: (r) => r.receivedBytesPerSecond, cell: (r) => rate(r.receivedBytesPerSecond) },
      { title: "Share", numeric: true, value: (r) => r.share, cell: (r) => percent(r.share) },
      { title: "Requests/s", numeric: true, value: (r) => r.requestsPerSecond, cell: (r) => (r.requestsPerSecond ? number(r.requestsPerSecond) : "\u2013") },
    ] });
  const workloads = searchTable({ label: "workloads", rows: model.order, text: (w) => model.names[w], sortBy: 1,
    columns: [
      { title: "Workload", value: (w) => model.names[w], cell: (w) => model.names[w] },
      { title: "Traffic", numeric: true, value: (w) => model.workloads[w].traffic, cell: (w) => rate(model.workloads[w].traffic) },
    ] });
  return section("Workloads and edges", null, switched([["Edges", edges.node], ["Workloads", workloads.node]]));
}

function graphBasis(graph) {
  const facts = [
    `The scheduler\u2019s own queries, once, of the data of ${graph.dataAt}; this page was made at ${graph.madeAt}.`,
    ...graph.sources.map((s) => (s.error ? `${s.name} (${s.type}) failed: ${s.error}` : `${s.name} (${s.type}): ${plural(s.series, "series").replace("seriess", "series")}, ${plural(s.flows, "flow")}; rates over ${number(s.windowSeconds)} seconds.`)),
    "Sent goes from the caller to the one that is called, received comes back. Where two ends report an edge, the larger of their figures counts.",
  ];
  const left = [
    ...graph.sources.flatMap((s) => s.leftOut.map((l) => `${s.name}: ${l.series} series with ${rate(l.bytesPerSecond)}, because: ${l.reason}.`)),
    graph.invalidFlows ? `${plural(graph.invalidFlows, "flow")} without a workload or with a rate that is no number.` : null,
    graph.notShown ? `${plural(graph.notShown.edges, "smaller edge")} with ${rate(bytesOf(graph.notShown))} (--limit).` : null,
  ].filter(Boolean);
  const list = (title, items) => (items.length ? el("div", {}, el("h3", {}, title), el("ul", {}, items.map((item) => el("li", {}, item)))) : null);
  return section("Measured and left out", null, el("div", { class: "basis" }, list("Measured", facts), list("Left out", left)));
}
