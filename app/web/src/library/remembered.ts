/** The enrollment jobs that this browser has begun and not seen the end of, in localStorage.
 * A browser that keeps nothing forgets them; the jobs themselves go on at the server. */

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

/** What an earlier visit left; anything that is not of this form is ignored. */
export function rememberedJobs(): RememberedJob[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isJob) : [];
  } catch {
    return [];
  }
}

/** Remember `job`, and forget the one named `gone`. */
export function rememberJob(job: RememberedJob | null, gone?: string): void {
  const others = rememberedJobs().filter((other) => other.job !== gone && other.job !== job?.job);
  try {
    localStorage.setItem(KEY, JSON.stringify(job ? [...others, job] : others));
  } catch {
    // not kept
  }
}
