/** Families heard in the track, whatever the library holds, and how a probability over time becomes a coloured strip. */
import type { FamilyRow, HeardFamily, QueryAnswer, Span, Timeline } from "../api/types";

const LEAST_PROBABILITY = 0.32; // as index/recognition.py; below this a family that no lane has is left out
const MOST_ROWS = 6;
const AT_THRESHOLD = 0.3; // opacity of a frame where a family is just taken to sound

/** The families to show: those of the lanes, then those that may play beside them, the most probable of each first. */
export function shownFamilies(answer: QueryAnswer): HeardFamily[] {
  const playing = answer.families.filter(({ plays }) => plays);
  const perhaps = answer.families.filter(
    ({ plays, probability }) => !plays && probability >= LEAST_PROBABILITY,
  );
  return [...playing, ...perhaps].slice(0, MOST_ROWS);
}

/** Whether a family is heard, but no lane has it. Answers of older versions do not say. */
export function isPerhaps({ plays }: HeardFamily): boolean {
  return plays === false;
}

/** A CSS gradient across `view`: as opaque as the family is probable, and nothing outside of the queried `range`. */
export function strip(curve: readonly Span[], range: Span, view: Span): string {
  const place = (second: number) => `${round((100 * (second - view[0])) / (view[1] - view[0]))}%`;
  const colour = (probability: number) =>
    `color-mix(in oklab, var(--tint) ${Math.round(100 * probability)}%, transparent)`;
  const [first, last] = [curve[0], curve.at(-1)];
  if (!first || !last) return "none";
  const stops = [
    `transparent ${place(range[0])}`,
    `${colour(first[1])} ${place(range[0])}`,
    ...curve.map(([second, probability]) => `${colour(probability)} ${place(second)}`),
    `${colour(last[1])} ${place(range[1])}`,
    `transparent ${place(range[1])}`,
  ];
  return `linear-gradient(90deg, ${stops.join(", ")})`;
}

/** The row of a family, if the timeline tells it. */
export function rowOf(found: Timeline | null, family: string): FamilyRow | null {
  return found?.families.find((row) => row.family === family) ?? null;
}

/** Where the frames of a timeline lie in `view`, as shares of its width: left edge and width. */
export function placeOf(found: Timeline, [from, to]: Span): { left: number; width: number } {
  const length = Math.max(to - from, 1e-6);
  return {
    left: (found.start_seconds - from) / length,
    width: (found.num_frames * found.frame_seconds) / length,
  };
}

/** Opacity of a frame: faint below the family's threshold, and the stronger the surer above it. */
export function opacity(probability: number, threshold: number): number {
  const least = Math.min(Math.max(threshold, 0.01), 0.99);
  if (probability < least) return (AT_THRESHOLD / 2) * (probability / least);
  return AT_THRESHOLD + (1 - AT_THRESHOLD) * ((probability - least) / (1 - least));
}

function round(value: number): number {
  return Math.round(100 * value) / 100;
}
