// Run by a Node that finds @deepgram/sdk; as use_sdk.py.
import { readFileSync, createReadStream } from "node:fs";
import { DeepgramClient } from "@deepgram/sdk";

const [url, raw, container] = process.argv.slice(2);
const socket = url.replace("http", "ws");
const environment = { base: url, production: socket, agent: socket, agentRest: url };
const client = new DeepgramClient({ apiKey: "key", environment });

async function live() {
  const connection = await client.listen.v1.connect({
    model: "nova-3",
    encoding: "linear16",
    sample_rate: 16000,
    interim_results: "true",
    vad_events: "true",
    smart_format: "true",
    shouldReconnect: () => false,
  });
  const messages = [];
  const closed = new Promise((resolve) => connection.on("close", resolve));
  connection.on("message", (message) => messages.push(message));
  connection.connect();
  await connection.waitForOpen();
  const data = readFileSync(raw);
  for (let start = 0; start < data.length; start += 3200) {
    connection.sendMedia(data.subarray(start, start + 3200));
  }
  connection.sendFinalize({ type: "Finalize" });
  connection.sendCloseStream({ type: "CloseStream" });
  const event = await closed;
  const finals = messages.filter((each) => each.type === "Results" && each.is_final);
  return {
    types: [...new Set(messages.map((each) => each.type))].sort(),
    text: finals.flatMap((each) => each.channel.alternatives[0].transcript.split(" ")),
    code: event.code,
  };
}

async function recording() {
  const answer = await client.listen.v1.media.transcribeFile(createReadStream(container), {
    model: "nova-3",
    smart_format: true,
    utterances: true,
  });
  const text = answer.results.channels[0].alternatives[0];
  return {
    text: text.transcript.split(" "),
    words: text.words.length,
    utterances: answer.results.utterances.length,
  };
}

async function refused() {
  try {
    await client.listen.v1.media.transcribeFile(Buffer.from("x"), { model: "nova-3", redact: "pci" });
  } catch (error) {
    return error.statusCode;
  }
}

console.log(
  JSON.stringify({ live: await live(), recording: await recording(), refused: await refused() }),
);
process.exit(0);
