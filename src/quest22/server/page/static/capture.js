// Runs in the audio thread: converts the microphone's samples to 16-bit integers, in blocks of 0.1 s.

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(Math.round(sampleRate / 10));
    this.filled = 0;
    this.peak = 0;
    this.port.onmessage = () => this.flush();
  }

  process([channels]) {
    const samples = channels[0];
    if (!samples) return true;
    for (let index = 0; index < samples.length; index += 1) {
      let value = 0;
      for (const channel of channels) value += channel[index];
      value = Math.max(-1, Math.min(1, value / channels.length));
      this.peak = Math.max(this.peak, Math.abs(value));
      this.block[this.filled++] = value < 0 ? value * 0x8000 : value * 0x7fff;
      if (this.filled === this.block.length) this.pass();
    }
    return true;
  }

  pass() {
    const samples = this.block.slice(0, this.filled);
    this.port.postMessage({ samples, peak: this.peak }, [samples.buffer]);
    this.filled = 0;
    this.peak = 0;
  }

  flush() {
    if (this.filled) this.pass();
    this.port.postMessage({ flushed: true });
  }
}

registerProcessor("capture", Capture);
