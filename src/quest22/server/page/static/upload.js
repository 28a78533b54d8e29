// Uploads a recording to OpenAI's transcription API: reports progress, then text as it arrives.
import { address, authorization, refusal, Refused } from "./server.js";
import { say } from "./words.js";

/** `on` has: sent(share), event(event). Returns {promise, cancel}; the promise gives the last event. */
export function transcribe(file, { model, language, translate }, on) {
  const request = new XMLHttpRequest();
  const promise = new Promise((resolve, reject) => {
    request.open("POST", address(`v1/audio/${translate ? "translations" : "transcriptions"}`));
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    const stream = new EventLines(on.event);
    request.upload.addEventListener("progress", ({ loaded, total }) => on.sent(total ? loaded / total : 0));
    request.upload.addEventListener("load", () => on.sent(1));
    request.addEventListener("progress", () => {
      if (request.status === 200) stream.read(request.responseText, isStream(request));
    });
    request.addEventListener("load", () => {
      try {
        resolve(answer(request, stream));
      } catch (error) {
        reject(error);
      }
    });
    request.addEventListener("error", () => reject(new Refused(say("lost-file"))));
    request.addEventListener("abort", () => reject(new DOMException("cancelled", "AbortError")));
    request.send(form(file, { model, language, translate }));
  });
  return { promise, cancel: () => request.abort() };
}

function form(file, { model, language, translate }) {
  const fields = new FormData();
  fields.append("model", model);
  if (language && !translate) fields.append("language", language);
  fields.append("response_format", "verbose_json");
  fields.append("timestamp_granularities[]", "word");
  fields.append("timestamp_granularities[]", "segment");
  fields.append("stream", "true");
  fields.append("file", file, file.name || "recording");
  return fields;
}

function isStream(request) {
  return (request.getResponseHeader("content-type") ?? "").startsWith("text/event-stream");
}

function answer(request, stream) {
  if (request.status !== 200) throw refusal(request.status, request.responseText, headersOf(request));
  if (!isStream(request)) return JSON.parse(request.responseText);
  stream.read(request.responseText, true);
  if (stream.failed) throw refusal(500, JSON.stringify(stream.failed), null);
  if (!stream.last) throw new Refused(say("lost-file"));
  return stream.last;
}

function headersOf(request) {
  return { get: (name) => request.getResponseHeader(name) };
}

/** Parses server-sent events from a growing text. */
class EventLines {
  constructor(onEvent) {
    this.onEvent = onEvent;
    this.read_ = 0;
    this.last = null;
    this.failed = null;
  }

  read(text, streams) {
    if (!streams) return;
    for (let end = text.indexOf("\n\n", this.read_); end >= 0; end = text.indexOf("\n\n", this.read_)) {
      const lines = text.slice(this.read_, end).split("\n");
      this.read_ = end + 2;
      const data = lines.filter((each) => each.startsWith("data:")).map((each) => each.slice(5)).join("\n").trim();
      if (data && data !== "[DONE]") this.#take(JSON.parse(data));
    }
  }

  #take(event) {
    if (event.error) this.failed = event;
    else if (event.type === "transcript.text.done") this.last = event;
    else this.onEvent(event);
  }
}
