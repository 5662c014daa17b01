// Bars: the part of the traffic that stays local in each run, with the 95 %
// confidence interval of the mean and a dot for each seed.

function bars(report, base, state, chooseRun) {
  const node = el("div", { class: "bars", role: "group", "aria-label": "Runs" });
  const draw = () => replace(node, report.runs.filter((run) => run.summary[state.level]).map((run) => bar(run, base, state, chooseRun)), axis());
  draw();
  return { node, draw };
}

// describedRun says what a run is called in other places, and where it comes from.
const describedRun = (run) => `run ${run.name}; ${run.replayed ? run.config : `the assignment in ${run.config}, as it is`}`;

const shareOf = (figures, state) => figures[state.level][state.model].localShare;

function bar(run, base, state, chooseRun) {
  const share = shareOf(run.summary, state);
  const at = (value) => 100 * Math.min(1, Math.max(0, value)) + "%";
  const seeds = run.perSeed.length > 1 ? run.perSeed : [];
  const picture = svg(
    "svg",
    { class: "bar-picture", "aria-hidden": "true", width: "100%", height: 30 },
    svg("rect", { class: "crossing", x: 0, y: 5, width: "100%", height: 20, rx: 3 }),
    svg("rect", { class: "local", x: 0, y: 5, width: at(share.mean), height: 20, rx: 3 }),
    seeds.map((seed) => svg("circle", { class: "seed", cx: at(shareOf(seed, state)), cy: 15, r: 2.5 })),
    share.runs >= 3 && share.interval > 0 && [
      svg("line", { class: "interval", x1: at(share.mean - share.interval), x2: at(share.mean + share.interval), y1: 15, y2: 15 }),
      [-1, 1].map((side) => svg("line", { class: "interval", x1: at(share.mean + side * share.interval), x2: at(share.mean + side * share.interval), y1: 9, y2: 21 })),
    ].flat() || null,
  );
  const chosen = run.name === state.run;
  return el(
    "div",
    { class: "bar-row" + (chosen ? " chosen" : ""), "data-run": run.name },
    el("button", { type: "button", class: "run-name", "aria-pressed": String(chosen), onclick: () => chooseRun(run.name) },
      capitalised(run.title), run === base ? [" ", el("small", {}, "before")] : null),
    picture,
    el("span", { class: "value", "data-figure": "localShare" }, estimate(share, percent)),
    el("span", { class: "about" }, capitalised(describedRun(run))),
  );
}

const axis = () => el("div", { class: "axis", "aria-hidden": "true" }, el("span"), el("span", { class: "ticks" }, ["0 %", "25 %", "50 %", "75 %", "100 %"].map((text) => el("span", {}, text))), el("span"));
