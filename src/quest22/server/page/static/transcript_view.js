// Shows the transcript. Committed text is appended and never touched again; highlights use the
// browser's highlight API, which changes no element and moves no word.
import { clock, say } from "./words.js";

const MARKS = typeof Highlight === "function" && CSS.highlights ? CSS.highlights : null;

export class TranscriptView {
  /** `onSeek(time)` is called when a word is selected. */
  constructor({ sheet, log, interim, onSeek, onWord }) {
    this.sheet = sheet;
    this.log = log;
    this.interim = interim;
    this.onSeek = onSeek;
    this.onWord = onWord;
    this.follows = true;
    this.clear();
    log.addEventListener("click", (event) => this.#clicked(event));
    log.addEventListener("mousemove", (event) => this.#hovered(event));
    log.addEventListener("mouseleave", () => this.#mark("hover", []));
    sheet.addEventListener("keydown", (event) => this.#pressed(event));
    sheet.addEventListener("focus", () => this.#markCursor());
    sheet.addEventListener("blur", () => this.#mark("cursor", []));
  }

  clear() {
    this.transcript = null;
    this.nodes = []; // for each paragraph: its element, and its text nodes as {at, node}
    this.cursor = null;
    this.nowKey = "";
    this.log.replaceChildren();
    this.interim.textContent = "";
    for (const name of ["now", "hover", "cursor", "found", "found-now"]) this.#mark(name, []);
  }

  /** Show this transcript from now on; `pieces` are its texts so far. */
  show(transcript) {
    this.clear();
    this.transcript = transcript;
    transcript.paragraphs.forEach((each, index) => this.#append({ index, fresh: true, text: each.text }));
  }

  /** Append pieces that `Transcript.append` returned. */
  append(pieces) {
    for (const piece of pieces) this.#append(piece);
    this.keepEnd();
  }

  /** Text that may still change, after all text that will not. */
  showInterim(text) {
    // Allow a line break before it, so that it cannot move the last committed word.
    const shown = text ? `\u200b${this.nodes.length ? text : text.trimStart()}` : "";
    if (this.interim.textContent === shown) return;
    this.interim.textContent = shown;
    this.keepEnd();
  }

  /** No more text will follow. */
  finish() {
    this.interim.textContent = "";
    this.nodes.at(-1)?.element.classList.remove("open");
  }

  #append({ index, fresh, text }) {
    if (fresh) this.#open(index);
    const { element, texts } = this.nodes[index];
    const last = texts.at(-1);
    const at = last ? last.at + last.node.length : 0;
    const node = document.createTextNode(text);
    if (last && !/^\s/.test(text)) element.append(document.createElement("wbr"));
    element.append(node);
    texts.push({ at, node });
  }

  #open(index) {
    this.nodes.at(-1)?.element.classList.remove("open");
    const element = document.createElement("p");
    element.className = "open";
    element.dataset.index = String(index);
    const { start } = this.transcript.paragraphs[index];
    if (start !== null) element.append(this.#time(start));
    this.log.append(element);
    this.nodes.push({ element, texts: [] });
  }

  #time(start) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "time";
    button.tabIndex = -1;
    button.dataset.start = String(start);
    button.textContent = clock(start);
    button.setAttribute("aria-label", say("play-from", { time: clock(start) }));
    return button;
  }

  // Following the newest words.

  keepEnd() {
    if (!this.follows || !this.live) return;
    const { bottom } = this.sheet.getBoundingClientRect();
    const dock = this.dockHeight?.() ?? 0;
    const over = bottom - (innerHeight - dock - 12);
    if (over > 0) scrollBy({ top: over, behavior: "instant" });
  }

  // Positions in the text.

  /** A range of characters of a paragraph. */
  rangeOf(index, from, to) {
    const { texts } = this.nodes[index];
    const range = document.createRange();
    const place = (at, ends) => {
      let found = texts.findIndex((each) => at < each.at + each.node.length || (ends && at === each.at + each.node.length));
      if (found < 0) found = texts.length - 1;
      return [texts[found].node, Math.min(texts[found].node.length, at - texts[found].at)];
    };
    range.setStart(...place(from, false));
    range.setEnd(...place(to, true));
    return range;
  }

  #wordRange({ paragraph, word }) {
    const { at, text, words } = this.transcript.paragraphs[paragraph];
    const end = at[word] + words[word].text.trim().length;
    return this.rangeOf(paragraph, at[word], Math.min(end, text.length));
  }

  #wordUnder(event) {
    const caret = caretAt(event.clientX, event.clientY);
    const element = caret?.node.parentElement?.closest("[data-index]");
    if (!element || !this.log.contains(element)) return null;
    const paragraph = Number(element.dataset.index);
    const text = this.nodes[paragraph].texts.find((each) => each.node === caret.node);
    if (!text) return null;
    const { at, words } = this.transcript.paragraphs[paragraph];
    const offset = text.at + caret.offset;
    let word = at.length - 1;
    while (word > 0 && at[word] > offset) word -= 1;
    const found = { paragraph, word };
    const inside = [...this.#wordRange(found).getClientRects()].some((each) =>
      event.clientX >= each.left - 4 && event.clientX <= each.right + 4
      && event.clientY >= each.top - 4 && event.clientY <= each.bottom + 4);
    return inside && words[word] ? found : null;
  }

  // Mouse and keyboard.

  #clicked(event) {
    const time = event.target.closest?.(".time");
    if (time) return this.onSeek(Number(time.dataset.start));
    if (!getSelection().isCollapsed) return undefined;
    const place = this.#wordUnder(event);
    if (!place) return undefined;
    this.cursor = place;
    return this.#seek(place);
  }

  #seek({ paragraph, word }) {
    const { start } = this.transcript.paragraphs[paragraph].words[word];
    if (start !== null) this.onSeek(start);
  }

  #hovered(event) {
    const place = event.buttons ? null : this.#wordUnder(event);
    this.#mark("hover", place && !this.live ? [this.#wordRange(place)] : []);
  }

  #pressed(event) {
    if (event.target !== this.sheet || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!this.transcript || !this.nodes.length) return;
    const moves = { ArrowRight: () => this.#step(1), ArrowLeft: () => this.#step(-1),
      ArrowDown: () => this.#stepParagraph(1), ArrowUp: () => this.#stepParagraph(-1),
      Enter: () => this.cursor && this.#seek(this.cursor) };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    move();
  }

  #step(by) {
    const { paragraphs } = this.transcript;
    let { paragraph, word } = this.cursor ?? this.now ?? { paragraph: 0, word: -by };
    word += by;
    if (word < 0 && paragraph > 0) word = paragraphs[paragraph -= 1].words.length - 1;
    else if (word >= paragraphs[paragraph].words.length && paragraph + 1 < paragraphs.length) {
      paragraph += 1;
      word = 0;
    }
    this.#moveCursor(paragraph, word);
  }

  #stepParagraph(by) {
    const from = this.cursor?.paragraph ?? (this.now?.paragraph ?? (by > 0 ? -1 : 1));
    this.#moveCursor(Math.max(0, Math.min(this.nodes.length - 1, from + by)), 0);
  }

  #moveCursor(paragraph, word) {
    const last = this.transcript.paragraphs[paragraph].words.length - 1;
    this.cursor = { paragraph, word: Math.max(0, Math.min(last, word)) };
    this.#markCursor();
    const range = this.#wordRange(this.cursor);
    this.reveal(range);
    this.onWord(range.toString());
  }

  #markCursor() {
    this.#mark("cursor", this.cursor && document.activeElement === this.sheet ? [this.#wordRange(this.cursor)] : []);
  }

  // Highlights.

  /** Highlight the word spoken at this time; null: none. */
  markNow(time) {
    const place = time === null || !this.transcript ? null : this.transcript.at(time);
    const key = place ? `${place.paragraph} ${place.word}` : "";
    if (key === this.nowKey) return;
    this.nowKey = key;
    this.nodes[this.now?.paragraph]?.element.classList.remove("now");
    this.now = place;
    if (place) this.nodes[place.paragraph].element.classList.add("now");
    const range = place && this.#wordRange(place);
    this.#mark("now", range ? [range] : []);
    if (range && this.follows) this.reveal(range);
  }

  /** Highlight matches, the current one differently. */
  markFound(ranges, current) {
    this.#mark("found", ranges.filter((each) => each !== current));
    this.#mark("found-now", current ? [current] : []);
  }

  #mark(name, ranges) {
    if (!MARKS) return;
    if (ranges.length) MARKS.set(name, new Highlight(...ranges));
    else MARKS.delete(name);
  }

  /** Scroll a range into view if necessary. */
  reveal(range) {
    const element = range.startContainer.parentElement;
    if (!range.getClientRects().length) element.scrollIntoView({ block: "center", behavior: "instant" });
    const { top, bottom } = range.getBoundingClientRect();
    const [high, low] = [this.barHeight?.() ?? 0, innerHeight - (this.dockHeight?.() ?? 0)];
    if (top >= high + 8 && bottom <= low - 8) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    scrollBy({ top: top - (high + low) / 2.5, behavior: calm ? "instant" : "smooth" });
  }
}

function caretAt(x, y) {
  if (document.caretPositionFromPoint) {
    const found = document.caretPositionFromPoint(x, y);
    return found && { node: found.offsetNode, offset: found.offset };
  }
  const range = document.caretRangeFromPoint?.(x, y);
  return range && { node: range.startContainer, offset: range.startOffset };
}
