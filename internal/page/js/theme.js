// Light and dark: what the system says, until the button says otherwise.

const themeListeners = [];
const onTheme = (listener) => themeListeners.push(listener);

// cssColour is a colour of the style as canvases understand it.
function cssColour(name) {
  const probe = el("span", { hidden: true });
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function themeButton() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const button = el("button", { class: "theme", type: "button", onclick: () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    changed();
  } });
  const changed = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
    for (const listener of themeListeners) listener();
  };
  dark.addEventListener("change", changed);
  changed();
  return button;
}
