/** Measures loudness and matches two levels by turning the louder one down, so nothing clips.
 * Loudness is the RMS of the non-silent frames, a simple stand-in for ITU-R BS.1770. */

const FRAME_SECONDS = 0.1;
const GATE = 0.1; // frames 20 dB below the loudest count as silence

/** RMS of `samples` between two times in seconds, without silent frames; 0 for silence. */
export function loudness(
  samples: Float32Array,
  sampleRate: number,
  start = 0,
  end = Number.POSITIVE_INFINITY,
): number {
  const first = Math.max(0, Math.floor(start * sampleRate));
  const last = Math.min(samples.length, Math.ceil(end * sampleRate));
  const size = Math.max(1, Math.round(FRAME_SECONDS * sampleRate));
  const frames: number[] = [];
  for (let from = first; from < last; from += size) {
    const to = Math.min(last, from + size);
    let sum = 0;
    for (let i = from; i < to; i++) sum += (samples[i] ?? 0) ** 2;
    frames.push(sum / (to - from)); // mean power
  }
  const gate = GATE ** 2 * Math.max(0, ...frames);
  const sounding = frames.filter((power) => power > 0 && power >= gate);
  return sounding.length ? Math.sqrt(sounding.reduce((sum, power) => sum + power, 0) / sounding.length) : 0;
}

/** Gains of at most 1 that make two loudnesses equal; both 1 if either is unknown or silent. */
export function matchedGains(one: number | null, other: number | null): [number, number] {
  if (!one || !other) return [1, 1];
  const quieter = Math.min(one, other);
  return [quieter / one, quieter / other];
}
