// What a replay says in words and figures.

// figureRows are all figures of a report: a name, where it is, and its format.
function figureRows(report) {
  const rows = [];
  const has = (level) => report.runs.some((run) => run.summary[level]);
  for (const level of levelNames(report).filter(has)) {
    for (const model of Object.keys(modelNames)) {
      rows.push({ name: `Crossing ${levelWords[level].crossing.replace("between ", "")}: ${modelNames[model].toLowerCase()}`, of: (f) => f[level]?.[model].crossingBytesPerSecond, format: rate });
    }
  }
  return rows.concat([
    { name: "Price between zones, 30 days: as configured", of: (f) => f.crossZonePerMonth, format: moneyOf(report) },
    nodesDiffer(report) && { name: "Nodes at the end", of: (f) => f.nodes, format: number },
    { name: "Busiest pod under same-node routing, times its fair share", of: (f) => f.busiestEndpoint, format: number },
    { name: "Deviation of the nodes\u2019 CPU, points", of: (f) => f.cpuDeviation, format: number },
    { name: "Deviation of the nodes\u2019 memory, points", of: (f) => f.memoryDeviation, format: number },
    { name: "Room for more large pods", of: (f) => f.headroom, format: number },
    { name: "Workloads with all pods on one node", of: (f) => f.concentrated, format: number },
    { name: "Over the preferred skew, nodes", of: (f) => f.nodesOverSkew, format: number },
    { name: "Over the preferred skew, zones", of: (f) => f.zonesOverSkew, format: number },
    { name: "Busiest node\u2019s network, of its capacity", of: (f) => f.busiestLink, format: percent },
    { name: "Pods that fitted nowhere", of: (f) => f.unschedulable, format: number },
    { name: "Pods without a node", of: (f) => f.missing, format: number },
  ]).filter((row) => row && report.runs.some((run) => row.of(run.summary)));
}

// nodesDiffer reports whether some runs end with fewer nodes than others, as
// consolidations do.
const nodesDiffer = ({ runs }) => runs.some((run) => run.summary.nodes.mean !== runs[0].summary.nodes.mean);

const figureTable = (report) =>
  plainTable("Every figure of every run", ["Figure", ...report.runs.map((run) => [capitalised(run.title), el("small", {}, run.name)])],
    figureRows(report).map((row) => [row.name, ...report.runs.map((run) => (row.of(run.summary) ? estimate(row.of(run.summary), row.format) : "\u2013"))]), "figures");

// isToday reports whether a run under a routing is what the cluster does now; nothing is
// known of that in runs whose routing is assumed.
const isToday = (run, model) => !run.replayed && run.name === "recorded" && model === "configured" && run.routing === "today";

// headline says the result in one sentence, and what it saves in a second one.
function headline(report, run, base, { level, model }) {
  const words = levelWords[level];
  const value = (kind, text) => el("strong", { class: kind }, text);
  const share = (r, m) => percent(r.summary[level][m].localShare.mean);
  const stays = isToday(run, model) ? "stays" : "would stay";
  const first = ["With ", model === "configured" ? "" : routingWords[model] + " and ", value("name", run.title), ", ", value("local", share(run, model)), ` of the traffic ${stays} ${words.local}`];
  const today = base && !isToday(base, model) && isToday(base, "configured") ? `Today, with the configured routing, ${share(base, "configured")} of the traffic stays ${words.local}.` : null;
  if (!base || base === run) return [el("h1", {}, first, "."), today && el("p", { class: "saves" }, today)];
  first.push(isToday(base, model) ? "; today it is " : `; with ${base.title} it would be `, value("before", share(base, model)), ".");
  return [el("h1", {}, first), el("p", { class: "saves" }, saved(report, run, base, model), today && " " + today)];
}

// describedRuns says what the runs of the headline are.
const describedRuns = (run, base) => [run, base].filter((r, i, all) => r && all.indexOf(r) === i).map((r) => el("p", {}, el("strong", {}, capitalised(r.title)), ": ", describedRun(r), "."));

const secondsPerMonth = 30 * 86400;
const bytesOfUnit = { GB: 1e9, GiB: 2 ** 30 };

// priceWords are such as "0.01 USD per GiB between zones".
const priceWords = ({ betweenZones, currency, unit }) => [betweenZones, currency, `per ${unit} between zones`].filter((word) => word !== "").join(" ");

// priceOf is the price of the traffic between zones in 30 days under a routing. The
// report has that of the configured one. Another routing changes it by the price of
// what it changes between zones, as traffic with the outside, sites included, is
// the same under each. That holds only where every node has a zone; else there is no
// price. complete has the summary of the figures, which may be a difference.
function priceOf(report, figures, model, complete = figures) {
  const price = figures.crossZonePerMonth;
  if (!price || model === "configured") return price;
  if (complete.zone.unknownBytesPerSecond) return undefined;
  const more = figures.zone[model].crossingBytesPerSecond.mean - figures.zone.configured.crossingBytesPerSecond.mean;
  return { mean: price.mean + (more * secondsPerMonth * report.price.betweenZones) / bytesOfUnit[report.price.unit], interval: 0, runs: price.runs };
}

// saved says how much less, or more, a run has between nodes and zones than the baseline.
function saved(report, run, base, model) {
  const d = run.difference;
  const part = (text, mean, after) => el("span", {}, el("strong", {}, text), after[0], mean <= 0 ? " less" : " more", after[1]);
  const parts = ["node", "zone"].filter((level) => d[level]).map((level) => {
    const crossing = d[level][model].crossingBytesPerSecond.mean;
    return part(perDay(Math.abs(crossing)), crossing, [" a day", " " + levelWords[level].crossing]);
  });
  const cost = priceOf(report, d, model, run.summary);
  if (cost) parts.push(part(moneyOf(report)(Math.abs(cost.mean)), cost.mean, [" a month", ` at ${priceWords(report.price)}`]));
  return [`Compared with ${base.title}: `, parts.flatMap((each, i) => [i === 0 ? "" : i === parts.length - 1 ? " and " : ", ", each]), "."];
}

// tiles are the figures that decide, of the run and of the baseline, all under one
// routing.
function tiles(report, levels, run, base, { model }) {
  const rows = [];
  const add = (label, key, of, format) => {
    const after = of(run.summary);
    if (after) rows.push({ label, key, after, before: base && base !== run ? of(base.summary) : null, difference: run.difference && of(run.difference), format });
  };
  add("Price between zones, a month", "price", (f) => priceOf(report, f, model, run.summary), moneyOf(report));
  for (const level of levels) {
    add(`Stays ${levelWords[level].local}`, level + ".localShare", (f) => f[level]?.[model].localShare, percent);
  }
  add("Between nodes", "node.crossing", (f) => f.node?.[model].crossingBytesPerSecond, rate);
  add("Between zones", "zone.crossing", (f) => f.zone?.[model].crossingBytesPerSecond, rate);
  add("Busiest pod, if calls prefer the node", "busiest", (f) => f.busiestEndpoint, (v) => fixed(v, 1) + "\u00d7");
  if (nodesDiffer(report)) add("Nodes at the end", "nodes", (f) => f.nodes, number);
  if (report.runs.some((r) => r.summary.missing.mean > 0)) add("Pods without a node", "missing", (f) => f.missing, number);
  return el("dl", { class: "tiles" }, rows.map((row) => el("div", { class: "tile", "data-figure": row.key },
    el("dt", {}, row.label),
    el("dd", { class: "now" }, row.format(row.after.mean)),
    row.before ? el("dd", { class: "was" }, "Before: ", row.format(row.before.mean)) : null,
    row.difference ? el("dd", { class: "change" }, signed(row.difference.mean, row.format).replace(space + "%", " points"), interval(row)) : null)));
}

// interval is that of a difference, in the words of its tile.
function interval({ difference, format }) {
  return halfWidth(difference, format).replace(space + "%", "");
}

// leftOutByTelemetry says what was reported but belongs to no pair of workloads.
const leftOutByTelemetry = (input) => (input.leftOut ?? []).map((l) =>
  `${l.source}: ${l.reason === "invalid" ? "series of unknown traffic" : `${rate(l.bytesPerSecond)} on average over the steps in which it answered`}, because: ${l.reason}. No figure has it.`);

// orderWords say how the pods of a replay arrive.
const orderWords = {
  rollout: "every workload of the cluster is restarted once, in a random order, with a surge of one",
  consolidation: "the least used nodes are drained, one after the other, while their pods fit elsewhere",
  random: "the pods of all workloads arrive mixed in an empty cluster",
  "by-workload": "one workload after the other arrives in an empty cluster, in a random order",
  recorded: "the workloads arrive in an empty cluster in the order of the input",
};

const describedOrder = ({ order, rollouts }) => `Order ${order}: ${orderWords[order] ?? order}.` +
  (rollouts > 1 ? ` ${grouped(rollouts)} rollouts follow one another, each starting where the last one ended.` : "");

// assumedWords name the routing of the runs that assume one.
const assumedWords = (report) => (report.assumed ?? []).map(({ service, services, trafficDistribution }) =>
  (trafficDistribution === "Any" ? "no trafficDistribution" : `trafficDistribution: ${trafficDistribution}`) +
  (service === "all" && services !== 1 ? ` on all ${plural(services, "Service")}` : service === "all" ? " on the only Service" : ` on ${service} (${plural(services, "Service")})`)).join(", and ");

// basis says what was measured and what was assumed.
function basis(data) {
  const { report, leftOut } = data;
  const measured = [
    `The traffic: ${plural(report.input.edges, "edge")} between workloads, ${rate(report.input.bytesPerSecond)} in both directions together, as ${report.input.name} has it.` + (report.input.name.startsWith("mesh:") ? " It is a generated application: nothing of it was measured." : ""),
    ...report.runs.filter((run) => !run.replayed).map((run) => `${capitalised(run.title)} (run ${run.name}) is the assignment in ${run.config}, as it is.`),
  ];
  const replayed = report.runs.filter((run) => run.replayed).map((run) => run.name);
  const assumed = [
    replayed.length ? `The framework of the real kube-scheduler placed the pods of ${replayed.length > 1 ? "the runs" : "run"} ${replayed.join(", ")} in memory; nothing was changed in a cluster. ${describedOrder(report)}` : null,
    replayed.length && report.seeds > 1 ? `Each of these runs was done with ${report.seeds} seeds, from ${report.firstSeed} on; figures are means, ${report.seeds > 2 ? "\u00b1 is half the 95 % confidence interval" : "and two seeds are too few for a confidence interval"}.` : null,
    "The traffic stays the same wherever pods run.",
    "Pictures, maps, changes and the table of workloads and edges show the first seed with the configured routing. Bars, the sentences at the top and the figures below them follow the routing chosen above.",
    report.assumed?.length ? `Runs whose titles end in \u201crouting assumed\u201d assume ${assumedWords(report)}.` : null,
    report.price ? `Traffic between zones costs ${priceWords(report.price)}${report.price.currency ? "" : ", in a currency that was not named"}; a month has 30 days. Traffic with the outside is not in the price${report.input.sites ? ", except with sites of other zones, as if both ends paid" : ""}.` : "No price was given, so the page shows no money.",
    "Rates have binary units (1 MiB is 1,048,576 bytes); volumes and prices have decimal ones (1 GB is 1e9 bytes), as bills.",
  ];
  const left = [
    leftOut.seeds && `${plural(leftOut.seeds, "seed")} of each run (the means have all of them)`,
    leftOut.nodes && `${plural(leftOut.nodes, "node")} with the least traffic, shown as one`,
    leftOut.sites && `${plural(leftOut.sites, "site")} with the least traffic, shown as elsewhere`,
    leftOut.edges && `${plural(leftOut.edges, "edge")} with the least traffic, ${rate(leftOut.edgesBytesPerSecond)} together (the figures have all of them)`,
    leftOut.moments && `${plural(leftOut.moments, "moment")} of each timeline; those that are here are spread evenly`,
    leftOut.advice && `${plural(leftOut.advice, "workload")} at the end of the routing advice`,
  ].filter(Boolean);
  const list = (title, items) => (items.some(Boolean) ? el("div", {}, el("h3", {}, title), el("ul", {}, items.filter(Boolean).map((item) => el("li", {}, item)))) : null);
  return section("Measured and assumed", null, el("div", { class: "basis" },
    list("Measured", measured), list("Left out by the telemetry", leftOutByTelemetry(report.input)), list("Assumed", assumed), list("Warnings and notes", [...report.warnings.map((text) => "Warning: " + text), ...(report.notes ?? []).map((text) => "Note: " + text)]), list("Not on this page", left),
    list("How calls are divided", Object.keys(modelNames).map((model) => `${modelNames[model]}: ${modelWords[model]}.`))));
}
