// Computes the peaks of a waveform. WAV files of any length are read piece by piece. Browsers decode
// other files as a whole, so only short ones are. Without peaks, the words are drawn instead.

export const BINS = 1600;
const MAX_DURATION_S = 15 * 60;
const MAX_BYTES = 80e6;
const PIECE = 1 << 20;

/** `BINS` values in 0…1, or null. */
export async function peaksOf(file, durationS) {
  try {
    const wav = await wavOf(file);
    if (wav) return await wavPeaks(file, wav);
    if (file.size > MAX_BYTES || !(durationS <= MAX_DURATION_S)) return null;
    const context = new OfflineAudioContext(1, 1, 8000);
    const sound = await context.decodeAudioData(await file.arrayBuffer());
    return binned(sound.getChannelData(0));
  } catch {
    return null; // the browser lacks this codec; the server may support it
  }
}

function binned(samples) {
  const peaks = new Float32Array(BINS);
  for (let index = 0; index < samples.length; index += 1) {
    const bin = Math.floor((index * BINS) / samples.length);
    const value = Math.abs(samples[index]);
    if (value > peaks[bin]) peaks[bin] = value;
  }
  return scaled(peaks);
}

/** The position of the 16-bit samples of a WAV file; null for any other file. */
async function wavOf(file) {
  const view = new DataView(await file.slice(0, 4096).arrayBuffer());
  const tag = (at) => (at + 4 > view.byteLength ? "" : String.fromCharCode(
    view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3)));
  if (tag(0) !== "RIFF" || tag(8) !== "WAVE") return null;
  let channels = 0;
  for (let at = 12; at + 8 <= view.byteLength; at += 8 + view.getUint32(at + 4, true)) {
    if (tag(at) === "fmt ") {
      if (view.getUint16(at + 8, true) !== 1 || view.getUint16(at + 22, true) !== 16) return null;
      channels = view.getUint16(at + 10, true);
    } else if (tag(at) === "data" && channels) {
      return { channels, from: at + 8, to: Math.min(file.size, at + 8 + view.getUint32(at + 4, true)) };
    }
  }
  return null;
}

async function wavPeaks(file, { channels, from, to }) {
  const peaks = new Float32Array(BINS);
  const frames = Math.floor((to - from) / 2 / channels);
  // For a long file, some samples of each bin are enough.
  const stride = Math.max(1, Math.floor((to - from) / (256 * PIECE)));
  for (let start = from, turn = 0; start + 1 < to; start += PIECE, turn += 1) {
    if (turn % stride) continue;
    const bytes = await file.slice(start, Math.min(start + PIECE, to)).arrayBuffer();
    const samples = new Int16Array(bytes, 0, bytes.byteLength >> 1);
    const first = (start - from) / 2 / channels;
    for (let index = 0; index < samples.length; index += channels) {
      const bin = Math.min(BINS - 1, Math.floor(((first + index / channels) * BINS) / frames));
      const value = Math.abs(samples[index]) / 0x8000;
      if (value > peaks[bin]) peaks[bin] = value;
    }
  }
  return scaled(peaks);
}

/** Normalise the height, so that quiet recordings are visible and one loud knock does not flatten the rest. */
function scaled(peaks) {
  const top = peaks.slice().sort()[Math.floor(0.995 * peaks.length)];
  return top > 0.001 ? peaks.map((each) => Math.min(1, each / top)) : peaks;
}
