/** All libraries, and the current one: the last used, else the default, else the first.
 * Views that change libraries call `refreshLibraries`, so that every list agrees. */
import { computed, effect, signal } from "@preact/signals";
import { listLibraries } from "../api/client";
import type { Library } from "../api/types";
import { lastLibrary } from "./preferences";
import { serverState } from "./server";
import { mustSignIn } from "./session";

export const libraries = signal<Library[]>([]);
export const librariesKnown = signal(false);

/** The library that queries search and other views open; null until libraries are loaded. */
export const currentLibrary = computed<Library | null>(() => {
  const all = libraries.value;
  const kept = all.find((library) => library.id === lastLibrary.value);
  return kept ?? all.find((library) => library.default) ?? all[0] ?? null;
});

/** Make a library current, and remember it. */
export function chooseLibrary(id: string): void {
  lastLibrary.value = id;
}

/** Reload the list; without a response the old list stays. */
export async function refreshLibraries(): Promise<void> {
  try {
    libraries.value = await listLibraries();
    librariesKnown.value = true;
  } catch {
    // server.ts reports the failure; the effect below reloads
  }
}

const UPDATING_SECONDS = 5;

/** While libraries are being updated for another encoder, or filled, reload the list now and then. */
effect(() => {
  if (!libraries.value.some((library) => library.update_job || library.filling)) return;
  const timer = setTimeout(() => void refreshLibraries(), 1000 * UPDATING_SECONDS);
  return () => clearTimeout(timer);
});

effect(() => {
  if (mustSignIn.value) return;
  if (serverState.value === "ready" || serverState.value === "preparing") void refreshLibraries();
});
