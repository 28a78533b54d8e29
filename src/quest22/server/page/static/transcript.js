// The text of a recording or of live speech. It only grows: committed text never changes.
//
// A word is {text, start, end}: its text with the space before it, and its times in seconds, or null
// if they are not known. A paragraph is {start, words, at, text}: at[i] is where word i
// begins in the text.

const PAUSE_S = 1.5;
const LONG = 420;
const TOO_LONG = 900;
const SENTENCE_END = /[.!?…。？！]["'»”)\]]*$/;

export class Transcript {
  constructor() {
    this.paragraphs = [];
    this.language = null;
    this.duration = 0;
    this.segmentEnded = false;
  }

  get empty() {
    return this.paragraphs.length === 0;
  }

  /** Append words; returns the pieces of text that are new: [{index, fresh, text}]. */
  append(words) {
    const pieces = [];
    for (const word of words) {
      const fresh = this.#opensParagraph(word);
      if (fresh) this.paragraphs.push({ start: word.start, words: [], at: [], text: "" });
      const index = this.paragraphs.length - 1;
      const paragraph = this.paragraphs[index];
      const text = paragraph.text ? word.text : word.text.trimStart();
      paragraph.at.push(paragraph.text.length + (text.length - text.trimStart().length));
      paragraph.words.push(word);
      paragraph.text += text;
      this.duration = Math.max(this.duration, word.end ?? 0);
      this.segmentEnded = false;
      const last = pieces.at(-1);
      if (last?.index === index) last.text += text;
      else pieces.push({ index, fresh, text });
    }
    return pieces;
  }

  /** The next word begins a segment, so a paragraph may end here. */
  endSegment(end = null) {
    this.segmentEnded = true;
    const last = this.paragraphs.at(-1)?.words.at(-1);
    if (last && last.end === null) last.end = end;
  }

  #opensParagraph(word) {
    const last = this.paragraphs.at(-1);
    if (!last) return true;
    const before = last.words.at(-1);
    const ended = SENTENCE_END.test(last.text);
    const paused = word.start !== null && before.end !== null && word.start - before.end > PAUSE_S;
    if (this.segmentEnded && paused && last.text.length > 1) return true;
    if (ended && last.text.length > LONG) return true;
    return this.segmentEnded && last.text.length > TOO_LONG;
  }

  /** The word spoken at a time, as {paragraph, word}, or null. */
  at(time) {
    const index = lastBefore(this.paragraphs, (each) => each.start, time);
    if (index < 0) return null;
    const { words } = this.paragraphs[index];
    const word = lastBefore(words, (each) => each.start, time);
    return word < 0 || words[word].start === null ? null : { paragraph: index, word };
  }

  /** All words in order. */
  *words() {
    for (const paragraph of this.paragraphs) yield* paragraph.words;
  }

  get text() {
    return this.paragraphs.map((each) => each.text).join("\n\n");
  }
}

/** Index of the last item whose value is not above the limit; -1 if there is none. */
export function lastBefore(items, value, limit) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((value(items[middle]) ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
