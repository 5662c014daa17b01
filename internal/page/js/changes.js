// What changed most, and what other routing would save.

const pathOf = (w) => w.namespace + "/" + w.name;

// breakable is a path that breaks after its namespace first.
const breakable = (w) => [w.namespace + "/", el("wbr"), w.name];

// changeList draws for each edge or workload which part of its traffic stayed
// before and stays after.
function changeList(title, changes) {
  if (!changes?.length) return null;
  return el("div", { class: "changes" }, el("h3", {}, title), el("ol", {}, changes.map((change) => {
    const [before, after] = [change.localBytesPerSecondBefore, change.localBytesPerSecondAfter].map((v) => v / change.bytesPerSecond);
    const gained = after >= before;
    const at = (share) => (2 + 96 * share).toFixed(2) + "%";
    return el("li", {},
      el("span", { class: "who" }, breakable(change.from), change.to ? [el("span", { class: "to" }, " \u2192 "), breakable(change.to)] : null),
      svg("svg", { width: "100%", height: 18, "aria-hidden": "true", class: gained ? "dumbbell gained" : "dumbbell lost" },
        svg("line", { class: "track", x1: at(0), x2: at(1), y1: 9, y2: 9 }),
        svg("line", { class: "moved", x1: at(before), x2: at(after), y1: 9, y2: 9 }),
        svg("circle", { class: "was", cx: at(before), cy: 9, r: 4.5 }),
        svg("circle", { class: "now", cx: at(after), cy: 9, r: 5.5 })),
      el("span", { class: "n" }, `${percent(before)} \u2192 ${percent(after)}`),
      el("span", { class: "n" }, signed(change.localBytesPerSecondAfter - change.localBytesPerSecondBefore, rate)));
  })));
}

// advice ranks the Services that would save something with another
// trafficDistribution; the last rows are the sums over all workloads.
function advice({ report, leftOut }) {
  const all = report.routingAdvice ?? [];
  if (!all.length) return null;
  const money = moneyOf(report);
  const titles = new Map(report.runs.map((run) => [run.name, run.title]));
  const count = all.length + (leftOut.advice ?? 0);
  const rows = all.flatMap((a) => optionRows(a.options, { workload: pathOf(a.workload), now: a.trafficDistribution }));
  const sums = optionRows(report.routingTotals ?? [], { workload: count > 1 ? `All ${plural(count, "workload")}` : "1 workload" });
  const zones = rows.some((row) => row.crossZoneSavedBytesPerSecond !== null);
  const priced = rows.some((row) => row.savedPerMonth !== undefined);
  const columns = [
    { title: "Calls to", value: (r) => r.workload, cell: (r) => [r.workload, el("small", {}, (r.now ? `${r.now} \u2192 ` : "") + `${r.option}, with ${titles.get(r.run)}`)] },
    priced && { title: "Saves a month", numeric: true, value: (r) => r.savedPerMonth, cell: (r) => money(r.savedPerMonth) },
    { title: "Less between nodes", numeric: true, value: (r) => r.crossNodeSavedBytesPerSecond, cell: (r) => rate(r.crossNodeSavedBytesPerSecond) },
    zones && { title: "Less between zones", numeric: true, value: (r) => r.crossZoneSavedBytesPerSecond, cell: (r) => rate(r.crossZoneSavedBytesPerSecond) },
    { title: "Busiest pod", numeric: true, value: (r) => r.busiestEndpoint, cell: (r) => el("span", { class: r.busiestEndpoint >= 2 && "hot" }, fixed(r.busiestEndpointNow, 1) + "\u00d7 \u2192 " + fixed(r.busiestEndpoint, 1) + "\u00d7") },
  ].filter(Boolean);
  const table = searchTable({ label: "options", columns, rows, sums, text: (r) => [r.workload, r.option, r.run, titles.get(r.run)].join(" "), sortBy: columns.findIndex((c) => c.title === (priced ? "Saves a month" : "Less between nodes")) });
  return section("Routing that would save", "What each workload\u2019s Services would save with another trafficDistribution if all pods stayed where they are. The last rows are totals; their busiest pod is that of the most loaded workload. From 2\u00d7 on, the busiest pod usually gets more traffic than its CPU and memory requests allow for: prefer the zone instead, or add replicas near the callers.", table.node);
}

// optionRows are one row for each option and run, with more about them; options with the
// same figures in a run share a row.
function optionRows(options, more) {
  const rows = new Map();
  for (const { trafficDistribution, runs } of options) {
    for (const saving of runs) {
      const key = JSON.stringify(saving); // its keys have one order
      const row = rows.get(key);
      if (row) row.option += " or " + trafficDistribution;
      else rows.set(key, { ...saving, ...more, option: trafficDistribution });
    }
  }
  return [...rows.values()];
}
