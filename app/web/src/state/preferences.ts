/** Preferences in localStorage: last library, theme, volume and query options; what belongs to a session, in sessionStorage.
 * Without storage (private mode, full quota) they last until reload. */
import { effect, type Signal, signal } from "@preact/signals";
import type { Mode } from "../api/types";

export type Theme = "auto" | "light" | "dark";

const PREFIX = "showme.";

function persistentSignal<T>(
  name: string,
  fallback: T,
  accepts: (value: unknown) => boolean,
  storage = () => localStorage, // a function: without permission, its name alone throws
): Signal<T> {
  const kept = signal<T>(fallback);
  try {
    const text = storage().getItem(PREFIX + name);
    const value: unknown = text === null ? fallback : JSON.parse(text);
    if (accepts(value)) kept.value = value as T;
  } catch {
    // unreadable: use the fallback
  }
  effect(() => {
    const text = JSON.stringify(kept.value);
    try {
      storage().setItem(PREFIX + name, text);
    } catch {
      // storage is full or blocked
    }
  });
  return kept;
}

const isText = (value: unknown) => value === null || typeof value === "string";
const isFlag = (value: unknown) => typeof value === "boolean";
const isShare = (value: unknown) => typeof value === "number" && value >= 0 && value <= 1;
const isCount = (value: unknown) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 100;

export const theme = persistentSignal<Theme>("theme", "auto", (value) =>
  ["auto", "light", "dark"].includes(String(value)),
);
export const volume = persistentSignal<number>("volume", 0.9, isShare);
export const lastLibrary = persistentSignal<string | null>("library", null, isText);
export const topK = persistentSignal<number>("top_k", 6, isCount);
export const mode = persistentSignal<Mode>("mode", "auto", (value) =>
  ["auto", "paper"].includes(String(value)),
);

/** Whether the families heard in the track are unfolded. */
export const heardShown = persistentSignal<boolean>("heard", true, isFlag);
/** Whether the selection, and a match's preview, are repeated. */
export const loop = persistentSignal<boolean>("loop", false, isFlag, () => sessionStorage);

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});
