// The theme: the system's, light or dark.
import { onLanguage, say } from "./words.js";
import { recall, remember } from "./memory.js";

const LOOKS = ["auto", "light", "dark"];

export function setUpTheme(button, onChange) {
  let look = LOOKS.includes(recall("theme")) ? recall("theme") : "auto";

  function show() {
    if (look === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = look;
    button.dataset.look = look;
    button.title = say(`theme-${look}`);
    button.setAttribute("aria-label", say(`theme-${look}`));
    onChange();
  }

  button.addEventListener("click", () => {
    look = LOOKS[(LOOKS.indexOf(look) + 1) % LOOKS.length];
    remember("theme", look === "auto" ? null : look);
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", onChange);
  onLanguage(show);
  show();
}
