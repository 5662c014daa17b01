// The page of a running cluster: how far its traffic goes, as placed and routed now.

const distanceWords = {
  node: "On one node", zone: "Between nodes of one zone", region: "Between zones of one region", beyond: "Farther",
  unknown: "Where to is not known", unserved: "To or from no serving pod", outside: "With no pod of the cluster",
};

function localityPage(data, page) {
  replace(page.bar, el("span", { class: "brand" }, "Vicinity"), themeButton());
  replace(page.main,
    el("section", { class: "hero", "aria-label": "Result" },
      el("p", { class: "eyebrow" }, `Data of ${data.dataAt}, as placed and routed now`),
      el("div", { class: "headline" }, localityHeadline(data)),
      localityTiles(data)),
    localityBars(data), localityTables(data), localityBasis(data));
  replace(page.foot, `${data.schema} \u00b7 made by vicinity locality; this file needs no network.`);
}

const partOf = (part, whole) => (whole > 0 ? part / whole : 0);
const onNode = (d) => partOf(d.levels.node, d.bytesPerSecond);
const inZone = (d) => partOf(d.levels.node + d.levels.zone, d.bytesPerSecond);

function localityHeadline(data) {
  const { all, hasZones } = data;
  if (!(all.bytesPerSecond > 0)) return [el("h1", {}, "The graph is empty."), graphConditions(data)];
  return [
    el("h1", {}, el("strong", {}, percent(onNode(all))), " of ", rate(all.bytesPerSecond), " stays on one node",
      hasZones && [", ", el("strong", { class: "local" }, percent(inZone(all))), " in one zone"], "."),
    all.perMonth === undefined ? null : el("p", { class: "saves" }, "What goes between zones costs ", el("strong", {}, moneyOf(data)(all.perMonth)), " a month."),
    graphConditions(data),
  ];
}

function localityTiles(data) {
  const { all, placedByVicinity: ours, pods } = data;
  const left = graphLeftOut(data);
  const rows = [
    data.hasZones && ["Between zones", "betweenZones", rate(all.betweenZones)],
    ["Of workloads that Vicinity placed", "placedByVicinity", rate(ours.bytesPerSecond)],
    ours.bytesPerSecond > 0 && ["Of that, on one node", "placedOnNode", percent(onNode(ours))],
    ours.bytesPerSecond > 0 && data.hasZones && ["Of that, in one zone", "placedInZone", percent(inZone(ours))],
    ["Serving pods without traffic in the graph", "withoutTraffic", `${grouped(pods.withoutTraffic)} of ${grouped(pods.serving)}`],
    left.series && ["Left out, for the reasons below", "leftOut", rate(left.bytes)],
  ].filter(Boolean);
  return el("dl", { class: "tiles" }, rows.map(([label, key, text]) => el("div", { class: "tile", "data-figure": key }, el("dt", {}, label), el("dd", { class: "now" }, text))));
}

function localityBars(data) {
  const parts = Object.keys(distanceWords).filter((part) => data.all.levels[part] > 0);
  const row = (part) => {
    const share = partOf(data.all.levels[part], data.all.bytesPerSecond);
    return el("div", { class: "bar-row", "data-level": part },
      el("span", { class: "run-name" }, distanceWords[part]),
      svg("svg", { class: "bar-picture", "aria-hidden": "true", width: "100%", height: 30 },
        svg("rect", { class: "crossing", x: 0, y: 5, width: "100%", height: 20, rx: 3 }),
        svg("rect", { class: "local", x: 0, y: 5, width: 100 * share + "%", height: 20, rx: 3 })),
      el("span", { class: "value", "data-figure": "share" }, percent(share)),
      el("span", { class: "about" }, rate(data.all.levels[part])));
  };
  return section("How far traffic goes", "Each byte counts once, where it stays nearest.", el("div", { class: "bars", role: "group", "aria-label": "Parts of the traffic" }, parts.map(row)));
}

function localityTables(data) {
  const money = moneyOf(data);
  const figures = [
    { title: "Traffic", numeric: true, value: (r) => r.bytesPerSecond, cell: (r) => rate(r.bytesPerSecond) },
    { title: "On node", numeric: true, value: onNode, cell: (r) => percent(onNode(r)) },
    ...(data.hasZones ? [
      { title: "In zone", numeric: true, value: inZone, cell: (r) => percent(inZone(r)) },
      { title: "Between zones", numeric: true, value: (r) => r.betweenZones, cell: (r) => rate(r.betweenZones) },
    ] : []),
    ...(data.price ? [{ title: "A month", numeric: true, value: (r) => r.perMonth, cell: (r) => money(r.perMonth) }] : []),
  ];
  const from = (r) => pathOf(r.from), to = (r) => pathOf(r.to);
  const sortBy = (columns) => columns.findIndex((c) => c.title === (data.hasZones ? "Between zones" : "Traffic"));
  const table = (label, rows, text, before, after, note) => {
    const columns = [...before, ...figures, ...after];
    return searchTable({ label, rows, text, columns, sortBy: sortBy(columns), note }).node;
  };
  const name = (title, value) => ({ title, value, cell: value });
  return section("Edges and namespaces", "Traffic between two namespaces counts in both of them. What stays on a node is part of what stays in a zone.", switched([
    ["Edges", table("edges", data.edges, (r) => from(r) + " " + to(r), [name("From", from), name("To", to)], [name("Routing", (r) => r.routing || "-")],
      data.notShown ? `${plural(data.notShown, "edge")} that cross less left out` : null)],
    ["Namespaces", table("namespaces", data.namespaces, (r) => r.namespace, [name("Namespace", (r) => r.namespace)], [])],
  ]));
}

function localityBasis(data) {
  const facts = [
    `The scheduler\u2019s own queries, once, of the data of ${data.dataAt}; rates in both directions over ${[...new Set(data.sources.map((s) => number(s.windowSeconds)))].join(", ")} seconds.`,
    "Calls are divided over the pods that serve as Services and DestinationRules say now; the placement is that of the moment when the page was made.",
    `Vicinity placed: ${plural(data.pods.servingPlacedByVicinity, "serving pod")}, by schedulerName ${data.schedulerNames.join(", ")}; traffic counts for it where all serving pods of either end are among them.`,
    data.price ? `A month is 30 days; ${amount(data.price.betweenZones)} ${data.price.currency || ""} per ${data.price.unit} between zones (${data.price.name}).` : null,
  ].filter(Boolean);
  const left = [
    ...data.sources.flatMap((s) => s.leftOut.map((l) => `${s.name}: ${l.series} series with ${rate(l.bytesPerSecond)}, because: ${l.reason}.`)),
    data.notRead?.length ? `Not read for want of permission: ${data.notRead.join(", ")}.` : null,
    data.notShown ? `${plural(data.notShown, "edge")} that cross less (--limit).` : null,
  ].filter(Boolean);
  const list = (title, items) => (items.length ? el("div", {}, el("h3", {}, title), el("ul", {}, items.map((item) => el("li", {}, item)))) : null);
  return section("Measured and left out", null, el("div", { class: "basis" }, list("Measured", facts), list("Left out", left)));
}
