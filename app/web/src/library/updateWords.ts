/** Words for the state of a library that another encoder made, as before an upgrade. */
import type { Job, Library } from "../api/types";
import { formatCount } from "../ui/format";

const MOST_NAMED = 5;

export interface StateWords {
  title: string;
  advice: string;
}

/** Describe what cannot be searched, and how the last update `ended`; null if all of the library can be searched. */
export function describeState(
  { state, num_stale, num_instruments }: Library,
  ended: Job | null,
): StateWords | null {
  if (state === "ready") return null;
  const which =
    state === "stale" ? "This library was" : `${num_stale} of ${num_instruments} instruments were`;
  const missing = state === "stale" ? "It cannot be searched" : "They are not searched";
  return {
    title: `${which} made with another encoder, as before an upgrade.`,
    advice: endingWords(ended) ?? `${missing} until updated. Names, families and earlier results stay.`,
  };
}

/** Describe an update that left instruments as they were; null for a complete one. */
function endingWords(ended: Job | null): string | null {
  if (ended === null || ended.state === "done") {
    const skipped = ended?.skipped ?? [];
    return skipped.length ? `Could not be updated: ${named(skipped)}.` : null;
  }
  if (ended.skipped.length) return `The update failed: ${named(ended.skipped)}.`;
  return ended.state === "cancelled"
    ? "The update was cancelled; the next one goes on where it was."
    : `The update failed: ${ended.message}.`;
}

function named(skipped: Job["skipped"]): string {
  const first = skipped.slice(0, MOST_NAMED).map(({ name, reason }) => `${name} (${reason})`);
  const rest = skipped.length - first.length;
  return first.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** Describe instruments that were updated from less audio than they were added from; null for none. */
export function describePreviews({ num_from_previews: number }: Library): string | null {
  if (!number) return null;
  const were = `${formatCount(number, "instrument")} ${number === 1 ? "was" : "were"}`;
  return `${were} updated from previews of a few seconds, because the sources were not kept. Matches are better with the sources: showme index reembed --source.`;
}

/** Describe a running update: `Updating: 3 of 128 · Fretless Bass`. */
export function describeUpdate(job: Job): string {
  if (job.state === "queued") return "Waiting to be updated…";
  return `Updating: ${job.done} of ${job.total}${job.message ? ` · ${job.message}` : ""}`;
}
