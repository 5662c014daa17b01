// The panel that says in numbers what is highlighted, and the field that finds a
// workload by name: what the pointer does, the keyboard can do here.

// inspector calls choose(workload) for what was found; order has the workloads
// with the most traffic first, and describe(focus) returns the panel's content.
function inspector({ names, order, choose, describe, hint }) {
  const list = newId("names");
  const find = el("input", { type: "search", list, placeholder: "Find a workload", "aria-label": "Find a workload", autocomplete: "off", spellcheck: "false" });
  const byName = new Map(names.map((name, i) => [name, i]));
  let current = -1;
  const pick = (position) => {
    current = (position + order.length) % order.length;
    find.value = names[order[current]];
    choose(order[current]);
  };
  find.addEventListener("input", () => {
    if (byName.has(find.value)) pick(order.indexOf(byName.get(find.value)));
    else if (find.value === "") choose(null);
  });
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      const i = order.findIndex((w) => names[w].toLowerCase().includes(find.value.toLowerCase()));
      if (find.value && i >= 0) pick(i);
    } else if (event.key === "Escape") {
      find.value = "";
      choose(null);
    }
  });
  const step = (text, label, by) => el("button", { type: "button", "aria-label": label, title: label, onclick: () => pick(current + by) }, text);
  const panel = el("div", { class: "panel", role: "status", "aria-live": "polite" }, el("p", { class: "hint" }, hint));
  const node = el("div", { class: "inspector" },
    el("div", { class: "tools" }, find, el("datalist", { id: list }, order.slice(0, 1000).map((w) => el("option", { value: names[w] }))),
      step("\u2190", "Previous workload by traffic", -1), step("\u2192", "Next workload by traffic", 1),
      el("button", { type: "button", onclick: () => { find.value = ""; current = -1; choose(null); } }, "Clear")),
    panel);
  return {
    node,
    show(focus) {
      if (focus?.workload !== undefined) current = order.indexOf(focus.workload);
      replace(panel, focus ? describe(focus) : el("p", { class: "hint" }, hint));
    },
  };
}

// linkSlider chooses how many lines are drawn, at most as many as the limit.
function linkSlider(total, current, covered, show, limit = 400) {
  const output = el("output");
  const input = el("input", { type: "range", min: 0, max: Math.min(total, limit), value: current, "aria-label": "Number of lines drawn", oninput: () => changed(Number(input.value)) });
  const changed = (n) => {
    output.textContent = `${grouped(n)} of ${grouped(total)} lines, ${percent(covered(n))} of what they carry`;
    show(n);
  };
  output.textContent = `${grouped(current)} of ${grouped(total)} lines, ${percent(covered(current))} of what they carry`;
  return { node: el("label", { class: "slider" }, el("span", {}, "Lines"), input, output) };
}
