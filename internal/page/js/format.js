// Numbers as people read them. Rates have binary units, as the tables of the
// command line; volumes have decimal ones, as bills.

const minus = "\u2212";
const space = "\u00a0"; // between a number and its unit, where no line ends

function fixed(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(text) !== 0 ? minus : "") + text;
}

function withUnit(value, units, base, per) {
  let unit = 0;
  let size = Math.abs(value);
  while (size >= 999.95 && unit < units.length - 1) {
    size /= base;
    unit++;
  }
  const digits = unit === 0 && Number.isInteger(size) ? 0 : 1;
  return fixed(value < 0 ? -size : size, digits) + space + units[unit] + per;
}

const rate = (bytesPerSecond) => withUnit(bytesPerSecond, ["B", "KiB", "MiB", "GiB", "TiB"], 1024, "/s");
const perDay = (bytesPerSecond) => withUnit(bytesPerSecond * 86400, ["B", "kB", "MB", "GB", "TB", "PB"], 1000, "");
const percent = (share) => fixed(100 * share, 1) + space + "%";
const amount = (value) => (Math.abs(value) < 100 ? fixed(value, 2) : grouped(Math.round(value)));

// moneyOf writes amounts in the currency of a report's prices, where it is known.
const moneyOf = ({ price }) => (value) => amount(value) + (price?.currency ? space + price.currency : "");

function signed(value, format) {
  const text = format(value);
  return value > 0 && /[1-9]/.test(text) ? "+" + text : text;
}

function grouped(value) {
  return (value < 0 ? minus : "") + String(Math.abs(value)).replace(/\B(?=(\d{3})+$)/g, "\u2009");
}

// number has as many digits as a mean of counts needs.
const number = (value) => (Number.isInteger(value) ? grouped(value) : fixed(value, Math.abs(value) < 10 ? 2 : 1));

// halfWidth is half the confidence interval of a mean, where there is one.
const halfWidth = (e, format) => (e.runs >= 3 && e.interval > 0 ? " \u00b1" + format(e.interval) : "");

// estimate is a mean with half its confidence interval.
const estimate = (e, format) => format(e.mean) + halfWidth(e, format);

const capitalised = (text) => text.charAt(0).toUpperCase() + text.slice(1);

const plural = (n, noun) => grouped(n) + " " + noun + (n === 1 ? "" : "s");

const levelWords = {
  node: { local: "on its node", crossing: "between nodes", stays: "stays on a node", domain: "node" },
  zone: { local: "in its zone", crossing: "between zones", stays: "stays in a zone", domain: "zone" },
  region: { local: "in its region", crossing: "between regions", stays: "stays in a region", domain: "region" },
};

// adoptLabels has the levels that node labels tell stand beside node, zone and region,
// under the keys of their labels, and gives them words.
function adoptLabels(report) {
  for (const run of report.runs) {
    for (const figures of [run.summary, run.difference, ...(run.perSeed ?? [])]) {
      for (const level of figures?.labelled ?? []) figures[level.label] = level;
    }
  }
  for (const { label } of report.runs[0]?.summary.labelled ?? []) {
    levelWords[label] = { local: `in its ${label}`, crossing: `between ${label}`, stays: `stays in a ${label}`, domain: label };
  }
}

// levelNames are those of all levels, the nearest first.
const levelNames = (report) => report.levels ?? ["node", "zone", "region"];

const modelWords = {
  configured: "as their Services specify",
  uniform: "evenly over all endpoints",
  fairLoad: "to nearby endpoints first, up to their fair share",
  sameNode: "to the nearest endpoints whenever there are any",
};

// routingWords name the routing that is assumed instead of the configured one.
const routingWords = { uniform: "uniform routing", fairLoad: "fair-load routing", sameNode: "same-node routing" };

const modelNames = { configured: "As configured", uniform: "Uniform", fairLoad: "Fair load", sameNode: "Same node" };
