// Elements. All text goes through textContent: names are of foreign origin.

// el makes an element: properties of props that begin with "on" are listeners,
// others are attributes; null and false are left out. Children are nodes, texts
// or nested arrays of them.
function el(tag, props, ...children) {
  return filled(document.createElement(tag), props, children);
}

const svgNamespace = "http://www.w3.org/2000/svg";

function svg(tag, props, ...children) {
  return filled(document.createElementNS(svgNamespace, tag), props, children);
}

function filled(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

let lastId = 0;
const newId = (prefix) => prefix + "-" + ++lastId;

// section is a part of the page with a heading and a sentence below it.
function section(title, lead, ...children) {
  const id = newId("section");
  return el("section", { "aria-labelledby": id }, el("h2", { id }, title), lead && el("p", { class: "lead" }, lead), children);
}

// choice is a group of buttons of which one is on.
function choice(label, options, current, choose) {
  const name = newId("choice");
  return el(
    "fieldset",
    { class: "choice" },
    el("legend", {}, label),
    options.map(({ value, text, title }) => {
      const input = el("input", { type: "radio", name, value, onchange: () => choose(value) });
      input.checked = value === current;
      return el("label", { title }, input, el("span", {}, text));
    }),
  );
}

function select(label, options, current, choose) {
  const control = el(
    "select",
    { onchange: () => choose(control.value) },
    options.map(({ value, text }) => el("option", { value }, text)),
  );
  control.value = current;
  return el("label", { class: "field" }, el("span", {}, label), control);
}

// plainTable is a table of rows of cells; the first column is the head of its row.
function plainTable(caption, head, rows, className) {
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el(
      "table",
      { class: className },
      el("caption", {}, caption),
      el("thead", {}, el("tr", {}, head.map((text, i) => el("th", { scope: "col", class: i > 0 && "n" }, text)))),
      el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell, i) => (i === 0 ? el("th", { scope: "row" }, cell) : el("td", { class: "n" }, cell)))))),
    ),
  );
}

// asText is the alternative to a picture: the same figures as a table, folded. It
// is made when it is opened.
function asText(summary, makeTable) {
  const details = el("details", { class: "as-text" }, el("summary", {}, summary));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(makeTable());
  });
  return details;
}

// replace puts other children into a node and keeps the node.
const replace = (node, ...children) => node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));

// onWidth calls draw with the width of a node, now and when it changes.
function onWidth(node, draw) {
  let last = 0;
  new ResizeObserver(([entry]) => {
    const width = Math.round(entry.contentRect.width);
    // Drawing changes heights, of which the observer must not hear at once.
    if (width > 0 && width !== last) requestAnimationFrame(() => draw((last = width)));
  }).observe(node);
}
