// Searches the text: highlights all matches and steps through them.
import { say } from "./words.js";

const MAX_MATCHES = 2000;
const AFTER_MS = 120;

/** The text as it is compared; every character keeps its position. */
function folded(text) {
  const low = text.toLowerCase();
  return (low.length === text.length ? low : text).replaceAll("ё", "е");
}

export class Search {
  constructor({ form, input, count, back, on, view }) {
    Object.assign(this, { input, count, back, on, view });
    this.matches = [];
    this.index = -1;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#step(1);
    });
    input.addEventListener("input", () => this.#later(() => this.#find(true)));
    input.addEventListener("keydown", (event) => this.#pressed(event));
    back.addEventListener("click", () => this.#step(-1));
    on.addEventListener("click", () => this.#step(1));
  }

  clear() {
    this.input.value = "";
    this.#find(false);
  }

  /** The text has grown. */
  refresh() {
    if (this.input.value) this.#later(() => this.#find(false));
  }

  #later(action) {
    clearTimeout(this.timer);
    this.timer = setTimeout(action, AFTER_MS);
  }

  #pressed(event) {
    if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      this.#step(-1);
    } else if (event.key === "Escape" && this.input.value) {
      event.preventDefault();
      this.clear();
    }
  }

  #find(shows) {
    const wanted = folded(this.input.value.trim());
    const paragraphs = wanted ? this.view.transcript?.paragraphs ?? [] : [];
    this.matches = [];
    paragraphs.forEach((each, index) => {
      const text = folded(each.text);
      let at = text.indexOf(wanted);
      while (at >= 0 && this.matches.length < MAX_MATCHES) {
        this.matches.push(this.view.rangeOf(index, at, at + wanted.length));
        at = text.indexOf(wanted, at + wanted.length);
      }
    });
    if (shows || this.index >= this.matches.length) this.index = this.matches.length ? 0 : -1;
    this.#show(shows);
  }

  #step(by) {
    if (!this.matches.length) return;
    this.index = (this.index + by + this.matches.length) % this.matches.length;
    this.#show(true);
  }

  #show(reveals) {
    const current = this.matches[this.index];
    this.view.markFound(this.matches, current);
    if (current && reveals) {
      this.view.follows = false;
      this.view.reveal(current);
    }
    this.back.disabled = this.on.disabled = !this.matches.length;
    const none = this.input.value.trim() ? say("no-match") : "";
    const all = this.matches.length === MAX_MATCHES ? `${MAX_MATCHES}+` : this.matches.length;
    this.count.textContent = current ? say("matches", { now: this.index + 1, all }) : none;
  }
}
