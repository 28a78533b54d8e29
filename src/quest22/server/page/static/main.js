// Connects the parts of the page: settings, the two start buttons, keyboard.
import { Desk } from "./desk.js";
import { FileWork } from "./file_work.js";
import { LiveWork } from "./live_work.js";
import { named } from "./languages.js";
import { recall, recallKey, remember, rememberKey } from "./memory.js";
import { models, Refused } from "./server.js";
import { setUpTheme } from "./theme.js";
import { onLanguage, say, switchLanguage, translatePage } from "./words.js";

const node = (id) => document.getElementById(id);
const CALLERS_NAMES = /^(whisper-1|gpt-.*)$/;

const desk = new Desk(askForKey);
const files = new FileWork(desk, choices);
const live = new LiveWork(desk, choices, showState);

function choices() {
  const translate = node("translate").checked;
  return {
    model: node("model").value,
    language: node("spoken").value,
    translate,
    connection: translate ? "websocket" : node("connection").value,
  };
}

function showState() {
  const state = live.active ? "live" : node("work").hidden ? "idle" : "work";
  document.body.dataset.state = state;
  for (const each of node("choices").querySelectorAll("select, input")) each.disabled = live.active;
  // OpenAI's Realtime API cannot translate.
  if (node("translate").checked) node("connection").disabled = true;
  node("speak").disabled = live.active;
  node("choose").disabled = live.active;
}

// Settings.

function fillLanguages() {
  const wanted = node("spoken").value || recall("spoken") || "";
  const options = [["", say("detect")], ...named()].map(([code, name]) => new Option(name, code));
  node("spoken").replaceChildren(...options);
  node("spoken").value = wanted;
}

async function fillModels() {
  try {
    const names = await models();
    const served = names.filter((each, index) => index === 0 || !CALLERS_NAMES.test(each));
    node("model").replaceChildren(...served.map((each) => new Option(each, each)));
    if (served.includes(recall("model"))) node("model").value = recall("model");
    desk.notice.clear();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    desk.refuse(error);
  }
}

function askForKey() {
  node("key-field").hidden = false;
  node("key").focus();
}

function setUpChoices() {
  fillLanguages();
  node("connection").value = recall("connection") === "webrtc" ? "webrtc" : "websocket";
  node("key").value = recallKey();
  if (recallKey()) node("key-field").hidden = false;
  for (const name of ["model", "spoken", "connection"]) {
    node(name).addEventListener("change", () => remember(name, node(name).value));
  }
  node("translate").addEventListener("change", showState);
  node("key").addEventListener("change", () => {
    rememberKey(node("key").value.trim());
    fillModels();
  });
  node("choices").addEventListener("submit", (event) => event.preventDefault());
}

// Recordings.

function openFile(file) {
  if (live.active) {
    desk.notice.show(say("leave-first"));
    return;
  }
  desk.view.live = false;
  const opened = files.open(file);
  showState();
  opened.finally(showState);
}

function setUpDropping() {
  let depth = 0;
  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const over = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  addEventListener("dragenter", (event) => { if (carriesFiles(event)) over(1); });
  addEventListener("dragleave", (event) => { if (carriesFiles(event)) over(-1); });
  addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    over(-depth);
    const [file, ...others] = event.dataTransfer.files;
    if (!file) return;
    openFile(file);
    if (others.length) desk.notice.show(say("one-file", { name: file.name }));
  });
  node("choose").addEventListener("click", () => node("file").click());
  node("file").addEventListener("change", () => {
    const [file] = node("file").files;
    node("file").value = "";
    if (file) openFile(file);
  });
}

// Live speech.

function setUpSpeech() {
  node("speak").addEventListener("click", async () => {
    files.cancel();
    await live.start();
    if (live.active) node("stop").focus({ preventScroll: true });
  });
  node("again").addEventListener("click", () => openFile(desk.file));
  addEventListener("beforeunload", (event) => { if (live.active) event.preventDefault(); });
}

/** Scrolling up stops following the text; a button jumps back to the latest words. */
function setUpFollowing() {
  const atEnd = () => {
    const { bottom } = node("transcript").getBoundingClientRect();
    return bottom <= innerHeight + 80;
  };
  const show = () => { node("to-end").hidden = desk.view.follows || !live.active; };
  for (const name of ["wheel", "touchmove"]) {
    addEventListener(name, () => requestAnimationFrame(() => {
      desk.view.follows = live.active ? atEnd() : false;
      show();
    }), { passive: true });
  }
  addEventListener("scroll", () => {
    if (live.active && !desk.view.follows && atEnd()) desk.view.follows = true;
    show();
  }, { passive: true });
  node("to-end").addEventListener("click", () => {
    desk.view.follows = true;
    desk.view.keepEnd();
    show();
  });
}

// Keyboard: Space plays, / searches, Escape cancels.

function setUpKeys() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const writes = event.target.closest?.("input, select, textarea");
    const presses = event.target.closest?.("button, a");
    if (event.key === "/" && !writes && !node("work").hidden) {
      event.preventDefault();
      node("search-text").focus();
    } else if (event.key === " " && !writes && !presses && !node("player").hidden) {
      event.preventDefault();
      desk.player.toggle();
    }
  });
}

setUpTheme(node("theme-switch"), () => {
  desk.waveform.draw();
  live.level.draw();
});
node("language-switch").addEventListener("click", switchLanguage);
setUpChoices();
setUpDropping();
setUpSpeech();
setUpFollowing();
setUpKeys();
onLanguage(fillLanguages);
translatePage();
showState();
fillModels();
