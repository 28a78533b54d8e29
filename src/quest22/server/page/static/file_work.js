// Transcribes a recording: from the file to its transcript.
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
    this.pending = "";
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

  /** A segment arrives as text first, shown as interim, then again with word times. */
  #take(event) {
    const { desk } = this;
    desk.progress("waiting");
    if (event.type === "transcript.text.delta") {
      this.pending += event.delta;
    } else if (event.type === "transcript.text.segment" && event.words) {
      this.pending = "";
      desk.append(timed(event.words, event.text));
      desk.transcript.endSegment();
    }
    desk.view.showInterim(this.pending);
  }

  #conclude(answer, running) {
    if (this.running !== running) return;
    this.running = null;
    const { desk } = this;
    desk.progress(null);
    desk.setLanguage(codeOf(answer.language ?? answer.languages?.[0]?.code));
    if (desk.transcript.empty) this.#appendAll(answer);
    const duration = answer.duration ?? answer.usage?.seconds ?? 0;
    desk.transcript.duration = Math.max(desk.transcript.duration, duration);
    if (duration) desk.player.setKnown(duration);
    desk.finish();
  }

  /** A response that was not streamed. */
  #appendAll({ words, segments, text }) {
    const ends = (segments ?? []).map((each) => each.end);
    for (const word of words?.length ? timed(words, text) : untimed(text)) {
      if (ends.length && word.start !== null && ends[0] <= word.start + 0.01) {
        this.desk.transcript.endSegment();
        while (ends.length && ends[0] <= word.start + 0.01) ends.shift();
      }
      this.desk.append([word]);
    }
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

/** Words with the spaces and punctuation of the text. */
function timed(words, text) {
  let at = 0;
  return words.map(({ word, start, end }, index) => {
    const found = text.indexOf(word, at);
    if (found < 0 || found > at + 40) return { text: index ? ` ${word}` : word, start, end };
    const before = text.slice(at, found);
    at = found + word.length;
    return { text: before + word, start, end };
  });
}

function untimed(text) {
  return ((text ?? "").match(/\s*\S+/g) ?? []).map((each) => ({ text: each, start: null, end: null }));
}

const ENGLISH = new Map(CODES.map((code) => [englishName(code), code]));

function englishName(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code).toLowerCase();
  } catch {
    return code;
  }
}

/** OpenAI's API returns English names of languages instead of codes. */
function codeOf(language) {
  if (!language) return null;
  const low = language.toLowerCase();
  return CODES.includes(low) ? low : ENGLISH.get(low) ?? null;
}
