// Run by Node beside the packages `openai` and `ws`; as speak_openai.py, with one line of input.
import fs from "node:fs";
import readline from "node:readline";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

const [url] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "sk-test" });
const realtime = new OpenAIRealtimeWS({ model: "gpt-4o-transcribe" }, client);
const prefix = "conversation.item.input_audio_transcription";
const found = { types: [], texts: [], deltas: "" };
let turns = Infinity;
let configured;
const ready = new Promise((resolve) => (configured = resolve));

realtime.on("event", (event) => found.types.push(event.type));
realtime.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
realtime.on("session.created", () =>
  realtime.send({
    type: "session.update",
    session: {
      type: "transcription",
      audio: {
        input: {
          transcription: { model: "gpt-4o-transcribe", language: "en" },
          turn_detection: { type: "server_vad", silence_duration_ms: 400 },
        },
      },
    },
  }),
);
realtime.on("session.updated", () => configured());
realtime.on(`${prefix}.delta`, (event) => (found.deltas += event.delta));
realtime.on(`${prefix}.completed`, (event) => {
  found.texts.push(event.transcript);
  if (found.texts.length < turns) return;
  console.log(JSON.stringify(found));
  realtime.close();
});

await ready;
for await (const line of readline.createInterface({ input: process.stdin })) {
  const [path, count] = line.split(" ");
  turns = Number(count);
  const data = fs.readFileSync(path);
  for (let start = 0; start < data.length; start += 4800) {
    const audio = data.subarray(start, start + 4800).toString("base64");
    realtime.send({ type: "input_audio_buffer.append", audio });
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  break;
}
