/** Decodes audio in the browser for drawing and level matching only; the service decodes on its own.
 * Returns null for formats that the browser does not support. */

const DRAWN_RATE = 8000; // Hz, enough for peaks and loudness
const LONGEST_BYTES = 120_000_000; // larger files could exhaust a phone's memory

export interface DecodedAudio {
  samples: Float32Array; // mono
  sampleRate: number;
  duration: number; // seconds
}

/** Decode to mono samples; null if this browser cannot. */
export async function decodeAudio(bytes: ArrayBuffer): Promise<DecodedAudio | null> {
  if (bytes.byteLength > LONGEST_BYTES || typeof OfflineAudioContext === "undefined") return null;
  try {
    const buffer = await new OfflineAudioContext(1, 1, DRAWN_RATE).decodeAudioData(bytes);
    return { samples: mono(buffer), sampleRate: buffer.sampleRate, duration: buffer.duration };
  } catch {
    return null;
  }
}

/** Fetch and decode the audio at `url`; null if it is gone or cannot be decoded. */
export async function fetchDecoded(url: string, signal?: AbortSignal): Promise<DecodedAudio | null> {
  try {
    const answer = await fetch(url, signal ? { signal } : {});
    return answer.ok ? await decodeAudio(await answer.arrayBuffer()) : null;
  } catch {
    return null;
  }
}

function mono(buffer: AudioBuffer): Float32Array {
  const first = buffer.getChannelData(0);
  if (buffer.numberOfChannels === 1) return first;
  const second = buffer.getChannelData(1);
  return first.map((value, i) => (value + (second[i] ?? 0)) / 2);
}

/** The maximum absolute value in each of `count` equal segments. */
export function peaks(samples: Float32Array, count: number): Float32Array {
  const found = new Float32Array(count);
  const step = samples.length / count;
  for (let k = 0; k < count; k++) {
    const to = Math.min(samples.length, Math.ceil((k + 1) * step));
    let most = 0;
    for (let i = Math.floor(k * step); i < to; i++) most = Math.max(most, Math.abs(samples[i] ?? 0));
    found[k] = most;
  }
  return found;
}
