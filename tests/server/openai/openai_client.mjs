// Run by Node beside the package `openai`: the arguments are the address and a WAV file.
import fs from "node:fs";
import OpenAI, { toFile } from "openai";

const [url, talk] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none" });
const create = (more) =>
  client.audio.transcriptions.create({ file: fs.createReadStream(talk), model: "whisper-1", ...more });
const found = {};

found.models = [];
for await (const model of client.models.list()) found.models.push(model.id);
found.stream_file = (await create()).text;
found.bytes = (await create({ file: await toFile(fs.readFileSync(talk), "talk.wav") })).text;
for (const form of ["json", "text", "srt", "vtt", "verbose_json", "diarized_json"])
  found[form] = await create({ response_format: form });
const words = await create({
  response_format: "verbose_json",
  timestamp_granularities: ["word", "segment"],
});
found.words = words.words.map((each) => each.word);
const everything = await create({
  model: "gpt-transcribe",
  include: ["logprobs"],
  chunking_strategy: { type: "server_vad", threshold: 0.4 },
  keywords: ["Quest"],
  languages: ["en", "ru"],
  prompt: "A talk.",
  temperature: 0,
});
found.logprobs = everything.logprobs.length;
found.translation = (
  await client.audio.translations.create({ file: fs.createReadStream(talk), model: "whisper-1" })
).text;
found.events = [];
for await (const event of await create({ stream: true })) found.events.push(event);
try {
  await create({ model: "large" });
} catch (error) {
  found.unknown = [error.status, error.code, error.requestID.startsWith("req_")];
}
console.log(JSON.stringify(found));
