// A recording, from the file to its transcript.
import { CODES } from "./languages.js";
import { transcribe } from "./upload.js";
import { Refused } from "./server.js";
import { say } from "./words.js";

export class FileWork {
  constructor(desk, choices) {
    this.desk = desk;
    this.choices = choices;
    this.running = null;
  }

  cancel() {
    this.running?.cancel();
    this.running = null;
  }

  async open(file) {
    const { desk } = this;
    this.cancel();
    desk.notice.clear();
    if (!file.size) {
      desk.notice.show(say("empty-file", { name: file.name }));
      return;
    }
    desk.begin(() => file.name, file.name.replace(/\.[^.]{1,5}$/, ""));
    desk.progress(0);
    desk.play(file, { recorded: file.recorded === true });
    const running = transcribe(file, this.choices(), {
      sent: (share) => { if (this.running === running) desk.progress(share); },
      event: (event) => { if (this.running === running) this.#take(event); },
    });
    this.running = running;
    try {
      this.#conclude(await running.promise, running);
    } catch (error) {
      this.#fail(error, running);
    }
  }

  #take(event) {
    if (event.type === "transcript.text.delta") {
      this.desk.progress("waiting");
      const pieces = event.delta.match(/\s*\S+/g) ?? [];
      this.desk.append(pieces.map((text) => ({ text, start: null, end: null })));
    }
  }

  #conclude(answer, running) {
    if (this.running !== running) return;
    this.running = null;
    const { desk } = this;
    desk.progress(null);
    desk.setLanguage(codeOf(answer.language));
    const words = timed(answer);
    if (words) desk.replace(words.list, words.segmentEnds);
    else if (desk.transcript.empty && answer.text) desk.append(untimed(answer.text));
    desk.transcript.duration = Math.max(desk.transcript.duration, answer.duration ?? 0);
    if (answer.duration) desk.player.setKnown(answer.duration);
    desk.finish();
  }

  #fail(error, running) {
    if (this.running !== running) return;
    this.running = null;
    this.desk.progress(null);
    this.desk.setEmpty("");
    if (!(error instanceof Refused)) throw error;
    this.desk.refuse(error);
  }
}

/** The words with their times and the space before them; null if the answer has none. */
function timed({ words, segments, text }) {
  if (!words?.length) return null;
  const ends = (segments ?? []).map((each) => each.end);
  const segmentEnds = new Set();
  let [at, segment] = [0, 0];
  const list = words.map(({ word, start, end }, index) => {
    const bare = word.trim();
    const found = text.indexOf(bare, at);
    const from = found < 0 || found > at + 40 ? at : found;
    const before = text.slice(at, from);
    const spaced = index > 0 && (found < 0 || /\s/.test(before));
    at = found < 0 ? at : from + bare.length;
    while (segment < ends.length && ends[segment] <= start + 0.01) {
      segment += 1;
      if (index) segmentEnds.add(index - 1);
    }
    return { text: `${spaced ? " " : ""}${before.trim()}${bare}`, start, end };
  });
  return { list: withPunctuation(list, text), segmentEnds };
}

/** Some servers give words without their marks: the text has them, behind each word. */
function withPunctuation(list, text) {
  let at = 0;
  return list.map((word) => {
    const bare = word.text.trim();
    const found = text.indexOf(bare, at);
    if (found < 0) return word;
    at = found + bare.length;
    const marks = /^[^\s\p{L}\p{N}]+(?=\s|$)/u.exec(text.slice(at, at + 8))?.[0] ?? "";
    at += marks.length;
    return { ...word, text: word.text + marks };
  });
}

function untimed(text) {
  return (text.match(/\s*\S+/g) ?? []).map((each) => ({ text: each, start: null, end: null }));
}

const ENGLISH = new Map(CODES.map((code) => [englishName(code), code]));

function englishName(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code).toLowerCase();
  } catch {
    return code;
  }
}

/** OpenAI writes languages as English names, others as codes. */
function codeOf(language) {
  if (!language) return null;
  const low = language.toLowerCase();
  return CODES.includes(low) ? low : ENGLISH.get(low) ?? null;
}
