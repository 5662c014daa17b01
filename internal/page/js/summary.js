// The answer in short: today, another routing, Vicinity, and both.

// summaryWords say what the columns of a summary are.
const summaryWords = {
  today: ["Today", "pods and routing as they are"],
  "routing only": ["Routing only", "pods as they are, routing changed"],
  "Vicinity only": ["Vicinity only", "pods placed by Vicinity, routing as it is"],
  both: ["Both", "pods placed by Vicinity, routing changed"],
};

// summary shows the columns of a report side by side; each has a figure only where the
// report has it.
function summary(report) {
  const columns = report.summary ?? [];
  if (columns.length < 2) return null;
  const crossing = (bytes, share) => bytes && [el("strong", {}, rate(bytes.mean)), ` (${percent(share.mean)})`];
  const figure = (label, of) => (column) => (columns.some(of) ? el("div", {}, el("dt", {}, label), el("dd", {}, of(column) ?? "\u2013")) : null);
  const value = (e, format) => e && el("strong", {}, format(e.mean));
  const figures = [
    figure("Price between zones, a month", (c) => value(c.crossZonePerMonth, money)),
    figure("Saved a month", (c) => value(c.savedPerMonth, money)),
    figure("Between zones", (c) => crossing(c.crossZoneBytesPerSecond, c.crossZoneShare)),
    figure("Between nodes", (c) => crossing(c.crossNodeBytesPerSecond, c.crossNodeShare)),
    figure(`Share of ${report.lossUnit ?? "requests"} that survives the loss of a node`, (c) => value(c.completeAfterNodeLoss, percent)),
    figure(`Share of ${report.lossUnit ?? "requests"} that survives the loss of a zone`, (c) => value(c.completeAfterZoneLoss, percent)),
    figure("Busiest pod, of its fair share", (c) => value(c.busiestPod, (v) => fixed(v, 1) + "\u00d7")),
    figure("Workloads with all pods on one node", (c) => value(c.onOneNode, percent)),
  ];
  const routes = (report.assumed ?? []).map((route) => `${route.service}: ${route.trafficDistribution}`).join(", ");
  return section("In short", routes ? `\u201cRouting changed\u201d assumes this trafficDistribution: ${routes}. The choices above do not change these figures.` : "The choices above do not change these figures.",
    el("div", { class: "summary" }, columns.map((column) => el("section", { "aria-label": summaryWords[column.name][0], "data-column": column.name },
      el("h3", {}, summaryWords[column.name][0]), el("p", {}, `${summaryWords[column.name][1]} (run ${column.run})`), el("dl", {}, figures.map((each) => each(column)))))));
}
