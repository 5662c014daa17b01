// The timeline of long recordings: what crosses a boundary over time, before and
// after.

function timelineChart(before, after, key, names) {
  const node = el("div", { class: "timeline" });
  onWidth(node, (width) => replace(node, drawTimeline(before, after, key, names, width)));
  return node;
}

function drawTimeline(before, after, key, names, width) {
  const height = 220;
  const [left, bottom, top, right] = [64, 24, 10, 12];
  const all = [...before, ...after];
  const times = all.map((m) => Date.parse(m.at));
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const most = Math.max(1, ...all.map((m) => m.bytesPerSecond));
  const x = (m) => left + ((width - left - right) * (Date.parse(m.at) - first)) / Math.max(1, last - first);
  const y = (value) => top + (height - top - bottom) * (1 - value / most);
  const line = (moments, value) => moments.map((m, i) => (i ? "L" : "M") + x(m).toFixed(1) + " " + y(value(m)).toFixed(1)).join("");
  const ticks = [0, 0.5, 1].map((part) => svg("g", {},
    svg("line", { class: "grid", x1: left, x2: width - right, y1: y(part * most), y2: y(part * most) }),
    svg("text", { x: left - 8, y: y(part * most) + 4, "text-anchor": "end" }, rate(part * most))));
  const moment = (t) => new Date(t).toISOString().slice(0, 16).replace("T", " ");
  return [
    svg("svg", { role: "img", width, height, viewBox: `0 0 ${width} ${height}`, "aria-label": `Traffic over time from ${moment(first)} to ${moment(last)} UTC` },
      ticks,
      svg("path", { class: "line total", d: line(after.length ? after : before, (m) => m.bytesPerSecond) }),
      svg("path", { class: "line before", d: line(before, (m) => m[key]) }),
      svg("path", { class: "line after", d: line(after, (m) => m[key]) }),
      svg("text", { x: left, y: height - 6 }, moment(first)),
      svg("text", { x: width - right, y: height - 6, "text-anchor": "end" }, moment(last) + " UTC")),
    el("p", { class: "legend" }, el("span", { class: "key total" }, "all traffic"), before.length ? el("span", { class: "key before" }, names[0]) : null, after.length ? el("span", { class: "key after" }, names[1]) : null),
  ];
}

function timelineTable(before, after, key, names) {
  const at = new Map(after.map((m) => [m.at, m]));
  const rows = before.length ? before : after;
  return plainTable("Traffic over time", ["Time (UTC)", "All traffic", names[0], names[1], "Pods", "Nodes"],
    rows.map((m) => [m.at, rate(m.bytesPerSecond), before.length ? rate(m[key]) : "", at.has(m.at) ? rate(at.get(m.at)[key]) : "", grouped(m.pods), grouped(m.nodes)]));
}
