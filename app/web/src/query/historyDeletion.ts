/** Deletes queries of the history after the time for an undo, since the service cannot restore them. */
import { signal } from "@preact/signals";
import { deleteQuery, deleteQueryOnLeaving } from "../api/client";
import type { QuerySummary } from "../api/types";
import { offerUndo, showProblem } from "../state/toasts";

const UNDO_SECONDS = 10;

/** The ids of deleted queries, which the service still has for a while. */
const leaving = signal<ReadonlySet<string>>(new Set());

export const isKept = (query: QuerySummary) => !leaving.value.has(query.id);

/** Delete queries of a track, with undo. */
export function removeQueries(name: string, ids: readonly string[]): void {
  leaving.value = new Set([...leaving.value, ...ids]);
  const timer = setTimeout(() => {
    withdraw();
    void Promise.all(ids.map(deleteQuery)).catch(showProblem).finally(forget);
  }, 1000 * UNDO_SECONDS);
  const forget = () => {
    leaving.value = new Set([...leaving.value].filter((id) => !ids.includes(id)));
  };
  const withdraw = offerUndo(`“${name}” was deleted from the history`, () => {
    clearTimeout(timer);
    forget();
  });
}

addEventListener("pagehide", () => {
  for (const id of leaving.value) deleteQueryOnLeaving(id);
});
