// The language of the page: the browser's, unless the user switches it.
import en from "./words/en.js";
import ru from "./words/ru.js";
import { recall, remember } from "./memory.js";

const ALL = { en, ru };
const listeners = [];
let now = ALL[recall("language")] ? recall("language") : fromBrowser();

function fromBrowser() {
  const wanted = navigator.languages?.length ? navigator.languages : [navigator.language ?? "en"];
  return wanted.map((each) => each.slice(0, 2).toLowerCase()).find((each) => ALL[each]) ?? "en";
}

/** The code of the page's language. */
export function language() {
  return now;
}

/** A text of the page with its placeholders filled in. */
export function say(key, values = {}) {
  const text = ALL[now][key];
  if (text === undefined) throw new Error(`no text is called ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** Call back whenever the language changes. */
export function onLanguage(listener) {
  listeners.push(listener);
}

export function switchLanguage() {
  now = now === "ru" ? "en" : "ru";
  remember("language", now);
  translatePage();
}

/** Set all fixed texts of the page. */
export function translatePage() {
  document.documentElement.lang = now;
  for (const node of document.querySelectorAll("[data-word]")) {
    node.textContent = say(node.dataset.word);
  }
  for (const node of document.querySelectorAll("[data-word-label]")) {
    node.setAttribute("aria-label", say(node.dataset.wordLabel));
  }
  for (const node of document.querySelectorAll("[data-word-placeholder]")) {
    node.placeholder = say(node.dataset.wordPlaceholder);
  }
  const other = document.getElementById("language-switch");
  other.textContent = say("switch-language");
  other.lang = now === "ru" ? "en" : "ru";
  for (const listener of listeners) listener();
}

/** Seconds as 0:42, 12:05 or 1:02:03. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** A number with this many decimals, in the page's language. */
export function number(value, digits) {
  return value.toLocaleString(now, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
