/** Follows an enrollment to its end: by server-sent events, and by asking again and again where these do not get through.
 * A server that goes away meanwhile is waited for; a job that it has forgotten has ended as failed. */
import { getJob, watchJob } from "../api/client";
import { ApiProblem } from "../api/problem";
import { pause } from "../api/transport";
import type { Job } from "../api/types";

const ASK_SECONDS = 1.5;

export function hasEnded(job: Job): boolean {
  return job.state === "done" || job.state === "failed" || job.state === "cancelled";
}

/** Resolves with the job as it ended; rejects only when `signal` is aborted. */
export async function followed(id: string, onChange: (job: Job) => void, signal: AbortSignal): Promise<Job> {
  return (await byEvents(id, onChange, signal)) ?? (await byAsking(id, onChange, signal));
}

/** The ended job, or null when the events stopped before. */
function byEvents(id: string, onChange: (job: Job) => void, signal: AbortSignal): Promise<Job | null> {
  return new Promise((resolve, reject) => {
    let stop: () => void = () => undefined;
    const leave = (job: Job | null) => {
      stop();
      signal.removeEventListener("abort", aborted);
      resolve(job);
    };
    const aborted = () => {
      stop();
      reject(new DOMException("cancelled", "AbortError"));
    };
    signal.addEventListener("abort", aborted, { once: true });
    if (signal.aborted) return aborted();
    const heard = (job: Job) => {
      onChange(job);
      if (hasEnded(job)) leave(job);
    };
    stop = watchJob(id, heard, () => leave(null));
  });
}

async function byAsking(id: string, onChange: (job: Job) => void, signal: AbortSignal): Promise<Job> {
  for (;;) {
    try {
      const job = await getJob(id, { signal });
      onChange(job);
      if (hasEnded(job)) return job;
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 404) return forgotten(id);
      signal.throwIfAborted();
    }
    await pause(ASK_SECONDS, signal);
  }
}

function forgotten(id: string): Job {
  const message = "the server no longer knows of it";
  return { id, state: "failed", done: 0, total: 0, message, library_id: null };
}
