/** Times in words and on the axis: the clock's format, what people type, and where the ruler's ticks stand. */
import type { Span } from "../api/types";

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];

/** 75.25 → `1:15.3`; whole seconds without their tenth when `digits` is 0. */
export function clock(seconds: number, digits = 1): string {
  const units = Math.round(Math.max(0, seconds) * 10 ** digits);
  const rest = units / 10 ** digits;
  const minutes = Math.floor(rest / 60);
  const tail = (rest - 60 * minutes).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return `${minutes}:${tail}`;
}

/** `1:15.3`, `75.3` or `75,3` → seconds; null for anything else. */
export function secondsOf(text: string): number | null {
  const match = /^\s*(?:(\d+):)?(\d+(?:[.,]\d*)?)\s*$/.exec(text);
  if (!match) return null;
  return 60 * Number(match[1] ?? 0) + Number((match[2] ?? "").replace(",", "."));
}

/** Round times within `view`, not more than `most` of them. */
export function ticks(view: Span, most: number): number[] {
  const length = view[1] - view[0];
  const step = STEPS.find((candidate) => length / candidate <= Math.max(1, most)) ?? 1800;
  const found: number[] = [];
  for (let k = Math.ceil(view[0] / step - 1e-6); k * step <= view[1] + 1e-6; k++) found.push(k * step);
  return found;
}

/** `0:00 to 0:04, 0:06 to 0:12 and 3 more`. */
export function spansInWords(spans: readonly Span[]): string {
  const parts = spans.slice(0, 3).map(([start, end]) => `${clock(start)} to ${clock(end)}`);
  const more = spans.length - parts.length;
  return parts.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** How long ago, in a few words: `now`, `5 min ago`, `3 h ago`, else the date. */
export function ago(iso: string, now = Date.now()): string {
  const minutes = Math.floor((now - Date.parse(iso)) / 60_000);
  if (!(minutes >= 1)) return "now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return new Date(iso).toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" });
}
