// Turns live events into a transcript that only grows, followed by interim text.
//
// Each event contains its whole segment. Words are committed in the order of segments: while one is
// open, later ones are interim. After a reconnect the new session's times start at 0 again, `offset`
// seconds into the audio, and it transcribes what the lost one had not committed.

const TEXTS = new Set(["interim", "committed", "final"]);

export class LiveText {
  constructor(onWords, onInterim, onSegmentEnd) {
    this.onWords = onWords;
    this.onInterim = onInterim;
    this.onSegmentEnd = onSegmentEnd;
    this.committedEnd = 0;
    this.begin(0);
  }

  /** A session begins whose audio starts at this time in seconds. */
  begin(offset) {
    this.offset = offset;
    this.next = 0;
    this.done = 0;
    this.open = new Map();
    this.#showInterim();
  }

  take(event) {
    if (!TEXTS.has(event.type) || event.segment < this.next) return;
    this.open.set(event.segment, event);
    for (let now = this.open.get(this.next); now; now = this.open.get(this.next)) {
      this.#commit(now);
      if (now.type !== "final") break;
      this.open.delete(this.next);
      this.next += 1;
      this.done = 0;
      this.onSegmentEnd();
    }
    this.#showInterim();
  }

  #commit(event) {
    const sure = event.type === "final" ? event.words : event.words.filter((each) => each.stable);
    const fresh = sure.slice(this.done);
    if (!fresh.length) return;
    this.done = sure.length;
    this.committedEnd = this.offset + fresh.at(-1).end;
    this.onWords(fresh.map((each) => ({
      text: each.word,
      start: this.offset + each.start,
      end: this.offset + each.end,
    })));
  }

  #showInterim() {
    const rest = [...this.open].sort(([one], [other]) => one - other)
      .flatMap(([segment, event]) => event.words.slice(segment === this.next ? this.done : 0));
    this.onInterim(rest.map((each) => each.word).join(""));
  }
}
