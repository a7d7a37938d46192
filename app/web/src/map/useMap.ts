/** Fetches a library's map, and the instruments similar to one; both refetch when their inputs change. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { getMap, getSimilar } from "../api/client";
import { isAbort } from "../api/problem";
import type { Hit, LibraryMap } from "../api/types";

const SIMILAR = 12;

export interface Fetched<Value> {
  value: Value | null;
  problem: unknown; // null: none
}

/** Fetch again whenever `key` changes; null: do not fetch. */
function useFetched<Value>(
  key: string | null,
  fetch: (signal: AbortSignal) => Promise<Value>,
): Fetched<Value> {
  const state = useSignal<Fetched<Value> & { key: string | null }>({ key: null, value: null, problem: null });
  useEffect(() => {
    if (key === null) return;
    const control = new AbortController();
    fetch(control.signal).then(
      (value) => {
        state.value = { key, value, problem: null };
      },
      (problem: unknown) => {
        if (!isAbort(problem)) state.value = { key, value: null, problem };
      },
    );
    return () => control.abort();
  }, [key]);
  return state.value.key === key ? state.value : { value: null, problem: null };
}

export function useMap(library: string, revision: string, query: string | null): Fetched<LibraryMap> {
  return useFetched(`${library} ${revision} ${query}`, (signal) => getMap(library, query, { signal }));
}

export function useSimilar(instrument: string | null): Fetched<Hit[]> {
  return useFetched(instrument, async (signal) => {
    const { items } = await getSimilar(instrument ?? "", SIMILAR, {}, { signal });
    return items;
  });
}
