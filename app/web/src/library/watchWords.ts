/** Words for a folder of the server that a library follows. */
import type { Watch } from "../api/types";

const MOST_NAMED = 3;

/** Describe how it goes: `Followed; the library holds what the folder holds.` */
export function describeWatch(watch: Pick<Watch, "state" | "message" | "job" | "synced_at">): string {
  if (watch.state === "paused") return "Nobody follows it now; a service or a command has to.";
  if (watch.job) return "Something has changed; the library is following…";
  if (watch.state === "waiting") return sentence(watch.message ?? "it cannot be followed now");
  return watch.synced_at ? "Followed; the library holds what the folder holds." : "Looking at the folder…";
}

/** Name the first of what lies in the folder and could not be used; null for nothing. */
export function describeSkipped({ skipped }: Pick<Watch, "skipped">): string | null {
  if (!skipped.length) return null;
  const first = skipped.slice(0, MOST_NAMED).map(({ name, reason }) => `${name} (${reason})`);
  const rest = skipped.length - first.length;
  return `Not used: ${first.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}.`;
}

/** Whether the instruments of the library may differ between two looks at what it follows. */
export function hasFollowed(before: readonly Watch[], now: readonly Watch[]): boolean {
  const stateOf = new Map(before.map((watch) => [watch.id, watch]));
  return now.some((watch) => {
    const earlier = stateOf.get(watch.id);
    return earlier && (earlier.synced_at !== watch.synced_at || (earlier.job && earlier.job !== watch.job));
  });
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;
}
