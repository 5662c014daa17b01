// The answer in short: today, another routing, Vicinity, and both.

// summaryWords say which pods and which routing the columns of a summary are about;
// placed says where the pods of the run are.
const summaryWords = {
  today: (placed) => `${placed}, routing as it is`,
  "routing only": () => "the same pods, routing changed",
  "Vicinity only": (placed) => `${placed}, routing as it is`,
  both: (placed) => `${placed}, routing changed`,
};

const placedBy = (run) => (run.replayed ? `pods placed by ${run.title.replace(/, routing assumed$/, "")}` : "pods as they are");

// summary shows the columns of a report side by side; each has a figure only where the
// report has it.
function summary(report) {
  const columns = report.summary ?? [];
  if (columns.length < 2) return null;
  const money = moneyOf(report);
  const half = (e, format) => el("small", {}, halfWidth(e, format));
  const value = (e, format) => e && [el("strong", {}, format(e.mean)), half(e, format)];
  const crossing = (bytes, share) => bytes && [value(bytes, rate), " ", el("span", { class: "whole" }, `(${percent(share.mean)}`, half(share, percent), ")")];
  const figure = (label, of) => (column) => (columns.some(of) ? el("div", {}, el("dt", {}, label), el("dd", {}, of(column) ?? "\u2013")) : null);
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
  const words = ({ name, run }) => summaryWords[name](placedBy(report.runs.find((r) => r.name === run)));
  const routing = report.assumed?.length ? `\u201cRouting changed\u201d assumes ${assumedWords(report)}. ` : "";
  return section("In short", routing + "The choices above do not change these figures.",
    el("div", { class: "summary" }, columns.map((column) => el("section", { "aria-label": capitalised(column.name), "data-column": column.name },
      el("h3", {}, capitalised(column.name)), el("p", {}, `${capitalised(words(column))} (run ${column.run})`), el("dl", {}, figures.map((each) => each(column)))))));
}
