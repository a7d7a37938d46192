/** What the page remembers between visits, in localStorage: the last library, the theme, the volume, how to ask.
 * A browser that keeps nothing (private mode, full quota) only forgets; nothing fails. */
import { effect, type Signal, signal } from "@preact/signals";
import type { Mode } from "../api/types";

export type Theme = "auto" | "light" | "dark";

const PREFIX = "showme.";

function remembered<T>(name: string, fallback: T, accepts: (value: unknown) => boolean): Signal<T> {
  const kept = signal<T>(fallback);
  try {
    const text = localStorage.getItem(PREFIX + name);
    const value: unknown = text === null ? fallback : JSON.parse(text);
    if (accepts(value)) kept.value = value as T;
  } catch {
    // unreadable: the fallback stands
  }
  effect(() => {
    const text = JSON.stringify(kept.value);
    try {
      localStorage.setItem(PREFIX + name, text);
    } catch {
      // not kept
    }
  });
  return kept;
}

const isText = (value: unknown) => value === null || typeof value === "string";
const isShare = (value: unknown) => typeof value === "number" && value >= 0 && value <= 1;
const isCount = (value: unknown) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 100;

export const theme = remembered<Theme>("theme", "auto", (value) =>
  ["auto", "light", "dark"].includes(String(value)),
);
export const volume = remembered<number>("volume", 0.9, isShare);
export const lastLibrary = remembered<string | null>("library", null, isText);
export const topK = remembered<number>("top_k", 6, isCount);
export const mode = remembered<Mode>("mode", "auto", (value) => ["auto", "paper"].includes(String(value)));

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});
