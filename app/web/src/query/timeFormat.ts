/** Formats and parses times, and places the ruler's ticks. */
import type { Span } from "../api/types";

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];

/** 75.25 → `1:15.3`; `digits` is the number of decimals. */
export function formatClock(seconds: number, digits = 1): string {
  const units = Math.round(Math.max(0, seconds) * 10 ** digits);
  const rest = units / 10 ** digits;
  const minutes = Math.floor(rest / 60);
  const tail = (rest - 60 * minutes).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return `${minutes}:${tail}`;
}

/** Parse `1:15.3`, `75.3` or `75,3` to seconds; null if invalid. */
export function parseSeconds(text: string): number | null {
  const match = /^\s*(?:(\d+):)?(\d+(?:[.,]\d*)?)\s*$/.exec(text);
  if (!match) return null;
  return 60 * Number(match[1] ?? 0) + Number((match[2] ?? "").replace(",", "."));
}

/** Round times within `view`, at most `most` of them. */
export function tickTimes(view: Span, most: number): number[] {
  const length = view[1] - view[0];
  const step = STEPS.find((candidate) => length / candidate <= Math.max(1, most)) ?? 1800;
  const found: number[] = [];
  for (let k = Math.ceil(view[0] / step - 1e-6); k * step <= view[1] + 1e-6; k++) found.push(k * step);
  return found;
}

/** `0:00 to 0:04, 0:06 to 0:12 and 3 more`. */
export function formatSpans(spans: readonly Span[]): string {
  const parts = spans.slice(0, 3).map(([start, end]) => `${formatClock(start)} to ${formatClock(end)}`);
  const more = spans.length - parts.length;
  return parts.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** Relative time: `now`, `5 min ago`, `3 h ago`, then the date. */
export function formatAgo(iso: string, now = Date.now()): string {
  const minutes = Math.floor((now - Date.parse(iso)) / 60_000);
  if (!(minutes >= 1)) return "now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return new Date(iso).toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
}
