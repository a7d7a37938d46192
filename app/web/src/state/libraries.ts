/** The libraries of the service and the one that is asked: the last one used, else the default, else the first.
 * Views that change libraries call `refreshLibraries` afterwards, so that every select shows the same. */
import { computed, effect, signal } from "@preact/signals";
import { listLibraries } from "../api/client";
import type { Library } from "../api/types";
import { lastLibrary } from "./preferences";
import { serverState } from "./server";

export const libraries = signal<Library[]>([]);
export const librariesKnown = signal(false);

/** The library that queries ask and that the other views open; null until the libraries are known. */
export const currentLibrary = computed<Library | null>(() => {
  const all = libraries.value;
  const kept = all.find((library) => library.id === lastLibrary.value);
  return kept ?? all.find((library) => library.default) ?? all[0] ?? null;
});

/** Choose the library by id, and remember it. */
export function chooseLibrary(id: string): void {
  lastLibrary.value = id;
}

/** Ask for the list again; what is shown stays when the service does not answer. */
export async function refreshLibraries(): Promise<void> {
  try {
    libraries.value = await listLibraries();
    librariesKnown.value = true;
  } catch {
    // server.ts tells that it is away, and the effect below asks again
  }
}

effect(() => {
  if (serverState.value === "ready" || serverState.value === "preparing") void refreshLibraries();
});
