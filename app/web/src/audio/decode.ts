/** Decodes audio in the browser for drawing and for level matching, never for the answer (the service decodes itself).
 * A format that the browser does not know gives null: the page then does without. */

const DRAWN_RATE = 8000; // Hz, enough for peaks and for loudness
const LONGEST_BYTES = 120_000_000; // decoding more than this could exhaust a phone

export interface Decoded {
  samples: Float32Array; // mono
  sampleRate: number;
  duration: number; // seconds
}

/** The audio as mono samples, or null when this browser cannot decode it. */
export async function decoded(bytes: ArrayBuffer): Promise<Decoded | null> {
  if (bytes.byteLength > LONGEST_BYTES || typeof OfflineAudioContext === "undefined") return null;
  try {
    const buffer = await new OfflineAudioContext(1, 1, DRAWN_RATE).decodeAudioData(bytes);
    return { samples: mono(buffer), sampleRate: buffer.sampleRate, duration: buffer.duration };
  } catch {
    return null;
  }
}

/** The audio at a URL of the service, or null when it is gone or cannot be decoded. */
export async function decodedFrom(url: string, signal?: AbortSignal): Promise<Decoded | null> {
  try {
    const answer = await fetch(url, signal ? { signal } : {});
    return answer.ok ? await decoded(await answer.arrayBuffer()) : null;
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

/** The largest absolute value in each of `count` equal stretches, for drawing. */
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
