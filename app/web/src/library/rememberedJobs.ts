/** The unfinished enrollment jobs of this browser, in localStorage.
 * Without storage they are forgotten; the jobs continue on the server. */

export interface RememberedJob {
  job: string;
  library: { id: string; name: string };
  name: string;
}

const KEY = "showme.jobs";

function isJob(value: unknown): value is RememberedJob {
  const job = value as RememberedJob | null;
  return (
    typeof job?.job === "string" &&
    typeof job.name === "string" &&
    typeof job.library?.id === "string" &&
    typeof job.library.name === "string"
  );
}

/** The jobs of an earlier visit; malformed entries are ignored. */
export function rememberedJobs(): RememberedJob[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isJob) : [];
  } catch {
    return [];
  }
}

/** Store `job`, and remove the job `gone`. */
export function rememberJob(job: RememberedJob | null, gone?: string): void {
  const others = rememberedJobs().filter((other) => other.job !== gone && other.job !== job?.job);
  try {
    localStorage.setItem(KEY, JSON.stringify(job ? [...others, job] : others));
  } catch {
    // storage is full or blocked
  }
}
