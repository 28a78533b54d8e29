// Saves the transcript as txt, srt, vtt or json.

const MAX_CAPTION_CHARACTERS = 84;
const MAX_CAPTION_S = 7;
const PAUSE_S = 1;
const LINE = 42;
const SENTENCE_END = /[.!?…。？！]["'»”)\]]*$/;

const WRITERS = { txt: asText, srt: asSrt, vtt: asVtt, json: asJson };
const TYPES = { txt: "text/plain", srt: "application/x-subrip", vtt: "text/vtt", json: "application/json" };

/** Let the browser download a file. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export function saveAs(format, transcript, stem) {
  const text = WRITERS[format](transcript);
  save(new Blob([text], { type: `${TYPES[format]};charset=utf-8` }), `${stem}.${format}`);
}

export function asText(transcript) {
  return `${transcript.text}\n`;
}

export function asSrt(transcript) {
  return cues(transcript).map(({ start, end, text }, index) =>
    `${index + 1}\n${stamp(start, ",")} --> ${stamp(end, ",")}\n${inLines(text)}\n`).join("\n");
}

export function asVtt(transcript) {
  return `WEBVTT\n\n${cues(transcript).map(({ start, end, text }) =>
    `${stamp(start, ".")} --> ${stamp(end, ".")}\n${escaped(inLines(text))}\n`).join("\n")}`;
}

export function asJson(transcript) {
  const segments = transcript.paragraphs.map(({ start, words, text }) => ({
    start,
    end: words.at(-1).end,
    text,
    words: words.map((each) => ({ word: each.text.trim(), start: each.start, end: each.end })),
  }));
  const { text, language, duration } = transcript;
  return `${JSON.stringify({ text, language, duration, segments }, null, 1)}\n`;
}

/** Readable captions: at most two lines, ending at sentences and pauses. */
export function cues(transcript) {
  const found = [];
  for (const { start, words } of transcript.paragraphs) {
    let open = null;
    for (const word of words) {
      if (open && isFull(open, word)) open = null;
      const begins = word.start ?? open?.end ?? start ?? found.at(-1)?.end ?? 0;
      if (!open) found.push(open = { start: begins, end: begins, text: "" });
      open.text = (open.text + word.text).trimStart();
      open.end = word.end ?? open.end;
    }
  }
  return found.filter((each) => each.text);
}

function isFull(cue, word) {
  const longer = cue.text.length + word.text.length > MAX_CAPTION_CHARACTERS;
  if (word.start === null) return longer;
  const paused = word.start - cue.end > PAUSE_S;
  const ended = SENTENCE_END.test(cue.text) && cue.text.length > LINE / 2;
  return longer || paused || ended || word.end - cue.start > MAX_CAPTION_S;
}

function inLines(text) {
  if (text.length <= LINE) return text;
  const spaces = [...text.matchAll(/ /g)].map((each) => each.index);
  if (!spaces.length) return text;
  const middle = text.length / 2;
  const best = spaces.reduce((one, other) => (Math.abs(other - middle) < Math.abs(one - middle) ? other : one));
  return `${text.slice(0, best)}\n${text.slice(best + 1)}`;
}

function stamp(seconds, point) {
  const milliseconds = Math.round(1000 * seconds);
  const two = (value, size = 2) => String(Math.floor(value)).padStart(size, "0");
  return `${two(milliseconds / 3.6e6)}:${two((milliseconds / 6e4) % 60)}:${two((milliseconds / 1000) % 60)}`
    + `${point}${two(milliseconds % 1000, 3)}`;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
