// The page of a replay.

function replayPage(data, page) {
  const { report } = data;
  const base = (report.runs.length > 1 && report.runs.find((run) => run.name === report.baseline)) || null;
  if (!report.runs.length) return replace(page.main, el("h1", {}, "Nothing was replayed."), basis(data));
  adoptLabels(report);
  const levels = levelsOf(data);
  const level = report.price && levels.includes("zone") ? "zone" : levels[0];
  const state = { run: chosenRun(report, base, level).name, level, model: "configured" };
  const run = () => report.runs.find((r) => r.name === state.run);
  const listeners = [];
  const set = (change) => { Object.assign(state, change); listeners.forEach((listener) => listener(change)); };
  // live is a part of the page that is drawn anew when the choice changes.
  const live = (attributes, draw, keys) => {
    const node = el("div", attributes);
    const drawn = () => replace(node, draw());
    listeners.push((change) => (!keys || keys.some((key) => key in change)) && drawn());
    drawn();
    return node;
  };

  replace(page.bar, replayControls(report, levels, state, set, listeners), themeButton());
  const chart = bars(report, base, state, (name) => set({ run: name }));
  listeners.push(chart.draw);
  replace(page.main,
    el("section", { class: "hero", "aria-label": "Result" },
      el("p", { class: "eyebrow" }, eyebrow(report)),
      live({ class: "headline", "aria-live": "polite" }, () => headline(report, run(), base, state)),
      live({ class: "hint described" }, () => describedRuns(run(), base), ["run"])),
    summary(report),
    live({}, () => tiles(report, levels, run(), base, state), ["run", "model"]),
    section("Every run", null, live({ class: "lead" }, () => `The share of the traffic that stays ${levelWords[state.level].local} when calls are divided ${modelWords[state.model]}.` + (base ? ` Choose a run to compare it with ${base.title}.` : "")), chart.node,
      asText("All figures as a table", () => figureTable(report))),
    data.cluster ? pictures(data, state, live, listeners, base) : null,
    timelineSection(report, base, run, state, live),
    live({}, () => changesSection(run(), base), ["run"]),
    advice(data),
    data.cluster ? explorer(data, state, listeners, base) : null,
    basis(data));
  replace(page.foot, `${report.apiVersion} ${report.kind} \u00b7 made by vicinity replay; this file needs no network.`);
}

// levelsOf are the levels at which there is more than one domain.
function levelsOf({ report, cluster }) {
  const domains = { node: (n) => n.name, zone: (n) => n.region + "/" + n.zone, region: (n) => n.region };
  const several = (level) => !cluster || level === "node" || !domains[level] || new Set(cluster.nodes.map(domains[level])).size > 1;
  return levelNames(report).filter((level) => report.runs.some((run) => run.summary[level]) && several(level));
}

// chosenRun is that of Vicinity in the summary, or else the one that keeps most within the
// level, of those that are not the baseline.
function chosenRun(report, base, level) {
  const vicinity = report.summary?.find((column) => column.name === "Vicinity only");
  if (vicinity) return report.runs.find((run) => run.name === vicinity.run);
  const share = (run) => run.summary[level]?.configured.localShare.mean ?? 0;
  const others = report.runs.filter((run) => run !== base);
  return others.reduce((best, run) => (share(run) > share(best) ? run : best), others[0] ?? report.runs[0]);
}

// leftOutRate is the traffic that the telemetry reported but no figure has.
const leftOutRate = (input) => (input.leftOut ?? []).reduce((sum, l) => sum + l.bytesPerSecond, 0);

const eyebrow = ({ input, seeds }) =>
  [input.name, plural(input.nodes, "node"), plural(input.workloads, "workload"), plural(input.pods, "pod"), rate(input.bytesPerSecond) + (input.leftOut?.length ? ` (left out: ${rate(leftOutRate(input))})` : ""), plural(seeds, "seed")].join(" \u00b7 ");

function replayControls(report, levels, state, set, listeners) {
  const runs = select("Run", report.runs.map((run) => ({ value: run.name, text: capitalised(run.title) })), state.run, (name) => set({ run: name }));
  listeners.push(() => { runs.querySelector("select").value = state.run; });
  return [
    el("span", { class: "brand" }, "Vicinity"),
    runs,
    levels.length > 1 ? choice("Level", levels.map((level) => ({ value: level, text: !["node", "zone", "region"].includes(level) ? level : level[0].toUpperCase() + level.slice(1) })), state.level, (level) => set({ level })) : null,
    select("Routing", Object.keys(modelNames).map((model) => ({ value: model, text: modelNames[model] })), state.model, (model) => set({ model })),
  ];
}

function changesSection(run, base) {
  if (!run.edgeChanges?.length && !run.workloadChanges?.length) return null;
  return section("What changed most", `The share of the traffic that stays on its node with the configured routing: \u25cb with ${base.title}, \u25cf with ${run.title}.`,
    el("div", { class: "columns" }, changeList("Workloads", run.workloadChanges), changeList("Edges", run.edgeChanges)));
}

function timelineSection(report, base, run, state, live) {
  if (!report.runs.some((r) => r.timeline?.length)) return null;
  const draw = () => {
    const zones = state.level === "zone" || state.level === "region";
    const key = zones ? "crossZoneBytesPerSecond" : "crossNodeBytesPerSecond";
    const names = [capitalised(base?.title ?? "before"), capitalised(run().title)];
    const [before, after] = [base && base !== run() ? base.timeline ?? [] : [], run().timeline ?? []];
    if (!before.length && !after.length) return el("p", {}, "This run has no timeline.");
    return [el("p", { class: "lead" }, `Traffic ${levelWords[zones ? "zone" : "node"].crossing} in the course of the recording, with the configured routing.`), timelineChart(before, after, key, names), asText("The timeline as a table", () => timelineTable(before, after, key, names))];
  };
  return section("Over time", null, live({}, draw, ["run", "level"]));
}

// explorer is the table of all workloads and edges.
function explorer(data, state, listeners, base) {
  const { report, cluster, pictures: all, leftOut } = data;
  const names = cluster.workloads.map(pathOf);
  const at = (run) => all[report.runs.indexOf(run)];
  const local = (key, run, i) => at(run)[key][state.level]?.[i] ?? 0;
  const current = () => report.runs.find((r) => r.name === state.run);
  const shareOfRow = (key, total, run) => (row) => (total(row) ? local(key, run(), row.i) / total(row) : 0);
  const columnsOf = (key, total) => [
    { title: "Traffic", numeric: true, value: total, cell: (r) => rate(total(r)) },
    base && { title: "Before", numeric: true, value: shareOfRow(key, total, () => base), cell: (r) => (total(r) ? percent(shareOfRow(key, total, () => base)(r)) : "\u2013") },
    { title: base ? "After" : "Stays", numeric: true, value: shareOfRow(key, total, current), cell: (r) => (total(r) ? percent(shareOfRow(key, total, current)(r)) : "\u2013") },
    base && { title: "Change", numeric: true, value: (r) => local(key, current(), r.i) - local(key, base, r.i), cell: (r) => signed(local(key, current(), r.i) - local(key, base, r.i), rate) },
  ].filter(Boolean);
  const edges = searchTable({
    label: "edges", rows: cluster.edges.map((edge, i) => ({ ...edge, i })), text: (r) => names[r.from] + " " + names[r.to], sortBy: 2,
    note: leftOut.edges ? `${plural(leftOut.edges, "smaller edge")} left out` : null,
    columns: [
      { title: "From", value: (r) => names[r.from], cell: (r) => names[r.from] },
      { title: "To", value: (r) => names[r.to], cell: (r) => names[r.to] },
      ...columnsOf("edgeLocal", (r) => r.bytesPerSecond),
    ],
  });
  const workloads = searchTable({
    label: "workloads", rows: cluster.workloads.map((w, i) => ({ ...w, i })).filter((w) => w.replicas > 0), text: (r) => names[r.i], sortBy: 3,
    columns: [
      { title: "Workload", value: (r) => names[r.i], cell: (r) => names[r.i] },
      { title: "Pods", numeric: true, value: (r) => r.replicas, cell: (r) => grouped(r.replicas) },
      { title: "Routing", value: (r) => r.trafficDistribution, cell: (r) => r.trafficDistribution },
      ...columnsOf("workloadLocal", (r) => r.bytesPerSecond),
    ],
  });
  listeners.push((change) => { if ("run" in change || "level" in change) { edges.redraw(); workloads.redraw(); } });
  return section("Workloads and edges", "The share of the traffic that stays within the level chosen above, with the configured routing. A workload\u2019s traffic is all that it exchanges inside the cluster and with sites; other traffic with the outside never stays.",
    switched([["Workloads", workloads.node], ["Edges", edges.node]]));
}

// switched shows one of several nodes.
function switched(tabs) {
  const holder = el("div", {}, tabs[0][1]);
  return [choice("Show", tabs.map(([name]) => ({ value: name, text: name })), tabs[0][0], (name) => replace(holder, tabs.find((tab) => tab[0] === name)[1])), holder];
}
