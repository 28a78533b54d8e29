// Shared by recordings and live speech: the transcript with its search, player and downloads.
import { nameOf } from "./languages.js";
import { Notice } from "./notice.js";
import { BINS, peaksOf } from "./peaks.js";
import { Player } from "./player.js";
import { save, saveAs } from "./downloads.js";
import { Search } from "./search.js";
import { Transcript } from "./transcript.js";
import { TranscriptView } from "./transcript_view.js";
import { Waveform } from "./waveform.js";
import { clock, onLanguage, say } from "./words.js";

const node = (id) => document.getElementById(id);

export class Desk {
  constructor(askForKey) {
    this.askForKey = askForKey;
    this.notice = new Notice({
      box: node("notice"), text: node("notice-text"), close: node("notice-close"), status: node("status"),
    });
    this.waveform = new Waveform(node("wave"), (time) => this.player.seek(time));
    this.view = new TranscriptView({
      sheet: node("transcript"), log: node("log"), interim: node("interim"),
      onSeek: (time) => this.#seek(time), onWord: (word) => this.notice.tell(word),
    });
    this.view.dockHeight = () => Math.max(node("player").offsetHeight, node("recorder").offsetHeight);
    this.view.barHeight = () => document.querySelector(".bar").offsetHeight;
    this.player = new Player({
      dock: node("player"), sound: node("sound"), button: node("play"), clockNode: node("clock"),
      lengthNode: node("length"), speed: node("speed"), waveform: this.waveform,
      onTime: (time) => this.view.markNow(time > 0 || this.player.playing ? time : null),
    });
    this.search = new Search({
      form: node("search"), input: node("search-text"), count: node("search-count"),
      back: node("search-back"), on: node("search-on"), view: this.view,
    });
    for (const button of node("downloads").querySelectorAll("[data-format]")) {
      button.addEventListener("click", () => this.#download(button.dataset.format));
    }
    onLanguage(() => this.#label());
  }

  /** Start a new transcript; `title()` is its title in the page's language. */
  begin(title, stem) {
    this.title = title;
    this.stem = stem;
    this.file = null;
    this.recorded = false;
    this.emptyKey = "";
    this.complete = false;
    this.player.clear();
    this.search.clear();
    this.transcript = new Transcript();
    this.view.follows = true;
    this.view.show(this.transcript);
    node("work").hidden = false;
    node("again").hidden = true;
    this.progress(null);
    this.#label();
  }

  /** Show why the server refused; ask for a key if one is missing. */
  refuse(error) {
    this.notice.show(error.message);
    if (error.status === 401) this.askForKey();
  }

  append(words) {
    this.view.append(this.transcript.append(words));
    this.search.refresh();
    this.#label();
  }

  /** The placeholder while there is no text. */
  setEmpty(key) {
    this.emptyKey = key;
    this.#label();
  }

  setLanguage(code) {
    if (!code || this.transcript.language === code) return;
    this.transcript.language = code;
    this.#label();
  }

  /** Progress: 0…1, "waiting", or null to hide it. */
  progress(share) {
    this.share = share;
    this.#label();
  }

  /** Enable playback; the waveform is drawn once its peaks are known. */
  async play(file, { known = 0, recorded = false } = {}) {
    this.file = file;
    this.recorded = recorded;
    this.player.load(file);
    if (known) this.player.setKnown(known);
    this.#label();
    const duration = known || await this.#durationOf();
    const peaks = await peaksOf(file, duration);
    if (this.file !== file) return;
    if (peaks) this.waveform.setPeaks(peaks);
    else this.waveform.setWords(this.transcript.words(), this.player.duration, BINS);
  }

  #durationOf() {
    const { sound } = this.player;
    if (sound.duration > 0) return sound.duration;
    return new Promise((resolve) => {
      sound.addEventListener("loadedmetadata", () => resolve(sound.duration), { once: true });
      sound.addEventListener("error", () => resolve(0), { once: true });
    });
  }

  finish() {
    this.complete = true;
    this.view.finish();
    this.view.live = false;
    if (this.transcript.empty) this.setEmpty("nobody");
    else this.notice.tell(say("done"));
    if (this.file) this.waveform.setWords(this.transcript.words(), this.player.duration, BINS);
    this.#label();
  }

  #seek(time) {
    this.view.follows = true;
    this.player.seek(time);
  }

  #download(format) {
    if (format === "wav") save(this.file, this.file.name);
    else saveAs(format, this.transcript, this.stem);
  }

  #label() {
    if (!this.transcript) return;
    node("title").textContent = this.title();
    const { language, duration } = this.transcript;
    const length = this.player.duration || duration;
    const facts = [length ? clock(length) : "", language ? nameOf(language) : ""].filter(Boolean);
    node("facts").textContent = this.#doing() || facts.join(" · ");
    const empty = node("empty");
    empty.hidden = !this.transcript.empty || !this.emptyKey;
    empty.textContent = empty.hidden ? "" : say(this.emptyKey);
    for (const button of node("downloads").querySelectorAll("[data-format]")) {
      const isSound = button.dataset.format === "wav";
      button.hidden = isSound && !this.recorded;
      button.disabled = !isSound && this.transcript.empty;
      button.setAttribute("aria-label", say("download-as", { format: button.dataset.format }));
    }
    this.#showProgress();
  }

  #doing() {
    if (this.share === null || this.share === undefined) return "";
    if (this.share === "waiting" || this.share >= 1) return say("waiting");
    return say("sending", { share: Math.round(100 * this.share) });
  }

  #showProgress() {
    const bar = node("progress");
    bar.hidden = this.share === null || this.share === undefined;
    const sending = typeof this.share === "number" && this.share < 1;
    bar.classList.toggle("endless", !bar.hidden && !sending);
    const percent = sending ? Math.round(100 * this.share) : 100;
    bar.firstElementChild.style.width = `${percent}%`;
    if (sending) bar.setAttribute("aria-valuenow", String(percent));
    else bar.removeAttribute("aria-valuenow");
  }
}
