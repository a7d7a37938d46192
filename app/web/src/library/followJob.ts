/** Follows a job to its end: by server-sent events, or by polling where events do not arrive.
 * Waits for an unreachable server; a job that the server no longer knows counts as failed. */
import { getJob, watchJob } from "../api/client";
import { ApiProblem } from "../api/problem";
import { sleep } from "../api/transport";
import type { Job } from "../api/types";

const ASK_SECONDS = 1.5;

/** A job of which the page knows only that there was one. */
export const UNKNOWN_JOB: Job = {
  id: "",
  created_at: null,
  kind: "enroll",
  state: "failed",
  done: 0,
  total: 0,
  message: "",
  library_id: null,
  kept: 0,
  skipped: [],
};

export function hasEnded(job: Job): boolean {
  return job.state === "done" || job.state === "failed" || job.state === "cancelled";
}

/** Resolve with the ended job; reject only when `signal` is aborted. */
export async function followJob(id: string, onChange: (job: Job) => void, signal: AbortSignal): Promise<Job> {
  return (await byEvents(id, onChange, signal)) ?? (await byPolling(id, onChange, signal));
}

/** The ended job, or null if the event stream stopped first. */
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
    const onEvent = (job: Job) => {
      onChange(job);
      if (hasEnded(job)) leave(job);
    };
    stop = watchJob(id, onEvent, () => leave(null));
  });
}

async function byPolling(id: string, onChange: (job: Job) => void, signal: AbortSignal): Promise<Job> {
  for (;;) {
    try {
      const job = await getJob(id, { signal });
      onChange(job);
      if (hasEnded(job)) return job;
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 404) return forgottenJob(id);
      signal.throwIfAborted();
    }
    await sleep(ASK_SECONDS, signal);
  }
}

function forgottenJob(id: string): Job {
  const message = "the server no longer has this job";
  return { ...UNKNOWN_JOB, id, message };
}
