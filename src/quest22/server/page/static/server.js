// Requests to the server: URLs, models, and reading errors.
import { say } from "./words.js";
import { recallKey } from "./memory.js";

/** An error with a one-line message for users. `status` is HTTP's; `retryS` is when to retry. */
export class Refused extends Error {
  constructor(message, status = 0, retryS = null) {
    super(message);
    this.status = status;
    this.retryS = retryS;
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export function address(path) {
  return new URL(path, document.baseURI);
}

export function socketAddress(path, values) {
  const url = address(path);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  for (const [name, value] of Object.entries(values)) if (value) url.searchParams.set(name, value);
  return url;
}

export function authorization() {
  const key = recallKey();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** The names of the served models, without aliases. */
export async function models() {
  let response;
  try {
    response = await fetch(address("v1/models"), { headers: authorization() });
  } catch {
    throw new Refused(say("unreachable"));
  }
  if (!response.ok) throw refusal(response.status, await response.text(), response.headers);
  const { data } = await response.json();
  return data.map((each) => each.id);
}

/** An unsuccessful response as an error. */
export function refusal(status, body, headers) {
  const after = Number(headers?.get?.("retry-after")) || null;
  if (status === 401) return new Refused(say(recallKey() ? "wrong-key" : "needs-key"), status);
  if (status === 413 && !messageOf(body)) return new Refused(say("too-large"), status);
  if (status === 429 || status === 503) {
    return new Refused(say("full", { seconds: after ?? 5 }), status, after ?? 5);
  }
  const message = messageOf(body) || `HTTP ${status}`;
  return new Refused(say("said-by-server", { message }), status, after);
}

function messageOf(body) {
  try {
    const { error } = JSON.parse(body);
    return typeof error === "string" ? error : error?.message ?? "";
  } catch {
    return "";
  }
}
