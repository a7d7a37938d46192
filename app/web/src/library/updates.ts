/** Updates of libraries that another encoder made: start, follow and cancel one. The service also starts them by itself. */
import { signal } from "@preact/signals";
import { cancelJob, reembedLibrary } from "../api/client";
import type { Job, Library } from "../api/types";
import { refreshLibraries } from "../state/libraries";
import { showProblem } from "../state/toasts";
import { followJob } from "./followJob";

/** The last update of each library that this page has seen end, by library id. */
export const endedUpdates = signal<ReadonlyMap<string, Job>>(new Map());

export async function updateLibrary({ id }: Pick<Library, "id">): Promise<void> {
  try {
    await reembedLibrary(id);
  } catch (error) {
    return showProblem(error);
  }
  await refreshLibraries();
}

/** Cancel: the library stays as it was. */
export async function cancelUpdate(job: string): Promise<void> {
  try {
    await cancelJob(job);
  } catch (error) {
    showProblem(error);
  }
}

/** Follow an update until it ends, and reload the libraries. Rejects only when `signal` is aborted. */
export async function followUpdate(
  library: string,
  job: string,
  onChange: (job: Job) => void,
  signal: AbortSignal,
): Promise<void> {
  const ended = await followJob(job, onChange, signal);
  endedUpdates.value = new Map([...endedUpdates.value, [library, ended]]);
  await refreshLibraries();
}
