// Keeps live audio as a WAV file that can be played, downloaded and transcribed again. Blocks become
// blobs, which browsers may move to disk, so hours of speech do not fill the memory.

const BLOCK_S = 20;

export class Recording {
  constructor(rate) {
    this.rate = rate;
    this.blobs = [];
    this.block = [];
    this.blockSamples = 0;
    this.samples = 0;
  }

  get duration() {
    return this.samples / this.rate;
  }

  add(samples) {
    this.block.push(samples);
    this.blockSamples += samples.length;
    this.samples += samples.length;
    if (this.blockSamples >= BLOCK_S * this.rate) this.#close();
  }

  #close() {
    this.blobs.push(new Blob(this.block));
    this.block = [];
    this.blockSamples = 0;
  }

  /** The file so far. */
  file(name) {
    this.#close();
    return new File([header(this.samples, this.rate), ...this.blobs], name, { type: "audio/wav" });
  }
}

function header(samples, rate) {
  const view = new DataView(new ArrayBuffer(44));
  const text = (at, letters) => [...letters].forEach((each, i) => view.setUint8(at + i, each.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, Math.min(36 + 2 * samples, 0xffffffff), true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, Math.min(2 * samples, 0xffffffff), true);
  return view.buffer;
}
