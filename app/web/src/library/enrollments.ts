/** Running enrollments: zip, upload and follow one part after another, in the background of every view.
 * Running jobs are kept in localStorage, so that a reloaded page still shows how they end. */
import { signal } from "@preact/signals";
import {
  addInstruments,
  addPath,
  addUpload,
  cancelJob,
  putInstrumentsBack,
  takeInstrumentsOut,
} from "../api/client";
import { ApiProblem, describeProblem, isAbort, ServerAway } from "../api/problem";
import { sleep } from "../api/transport";
import type { Job, Library } from "../api/types";
import { refreshLibraries } from "../state/libraries";
import { serverThere, until } from "../state/server";
import { offerUndo, showProblem } from "../state/toasts";
import { followJob, UNKNOWN_JOB } from "./followJob";
import { rememberedJobs, rememberJob } from "./rememberedJobs";
import { sendLarge } from "./sendLarge";
import { discardUpload, forgetUpload } from "./unfinishedUploads";
import type { UploadPart, UploadPlan } from "./uploadPlan";
import { zipOf } from "./zip";

export type Phase = "packing" | "sending" | "running" | "done" | "failed" | "cancelled";

export interface Enrollment {
  id: number;
  library: { id: string; name: string };
  name: string;
  phase: Phase;
  text: string;
  share: number | null; // of the whole enrollment, 0 to 1; null: unknown
  again: UploadPart[]; // the parts that a retry would send
  kept: { job: string; number: number } | null; // what a job that ended early has stored, and can be taken out
}

const TRIES = 3; // of one upload whose connection breaks
const REFUSED = [413, 415, 422]; // statuses of a file that will not do, however often it is sent
const LARGE_BYTES = 4 * 1024 * 1024; // what is larger is sent in pieces, and can go on after a reload

export const enrollments = signal<Enrollment[]>([]);
/** Increases after every enrollment, so that lists reload. */
export const enrollmentsEnded = signal(0);

const controls = new Map<number, AbortController>();
let count = 0;

/** Start to add `plan` to `library`. */
export function enroll(
  library: Pick<Library, "id" | "name">,
  plan: Pick<UploadPlan, "name" | "parts">,
): void {
  const id = addEnrollment(library, plan.name, plan.parts);
  void runEnrollment(id, plan.parts);
}

/** Start to add a file or folder of the server. Rejects if the service refuses. */
export async function enrollPath(library: Pick<Library, "id" | "name">, path: string): Promise<void> {
  const job = await addPath(library.id, path);
  showJob(job, library, path.replace(/\/+$/, "").split("/").at(-1) || path);
}

/** Cancel: parts that were not sent stay here, and the running job stores nothing more. */
export function cancelEnrollment(id: number): void {
  controls.get(id)?.abort();
}

/** Send the missing parts again. */
export function tryAgain(id: number): void {
  const enrollment = enrollments.value.find((other) => other.id === id);
  if (!enrollment) return;
  dismissEnrollment(id);
  enroll(enrollment.library, { name: enrollment.name, parts: enrollment.again });
}

/** Delete the instruments that a cancelled or failed enrollment has stored; offers undo. */
export async function takeOut(id: number): Promise<void> {
  const kept = enrollments.value.find((other) => other.id === id)?.kept;
  if (!kept) return;
  const changed = (now: Enrollment["kept"]) => {
    updateEnrollment(id, { kept: now });
    void refreshLibraries();
    enrollmentsEnded.value += 1;
  };
  try {
    await takeInstrumentsOut(kept.job);
  } catch (error) {
    return showProblem(error);
  }
  changed(null);
  offerUndo(
    `${kept.number} ${kept.number === 1 ? "instrument was" : "instruments were"} taken out`,
    async () => {
      await putInstrumentsBack(kept.job);
      changed(kept);
    },
  );
}

export function dismissEnrollment(id: number): void {
  enrollments.value = enrollments.value.filter((other) => other.id !== id);
}

export function isOver({ phase }: Enrollment): boolean {
  return phase === "done" || phase === "failed" || phase === "cancelled";
}

function addEnrollment(library: Pick<Library, "id" | "name">, name: string, again: UploadPart[]): number {
  const id = ++count;
  const { id: libraryId, name: libraryName } = library;
  enrollments.value = [
    ...enrollments.value,
    {
      ...{ id, name, again, library: { id: libraryId, name: libraryName } },
      ...{ phase: "packing", text: "", share: 0, kept: null },
    },
  ];
  controls.set(id, new AbortController());
  return id;
}

function updateEnrollment(id: number, values: Partial<Enrollment>): void {
  enrollments.value = enrollments.value.map((other) => (other.id === id ? { ...other, ...values } : other));
}

async function runEnrollment(id: number, parts: readonly UploadPart[]): Promise<void> {
  const results: string[] = [];
  const { signal: stopped } = controls.get(id) ?? new AbortController();
  try {
    for (const [number, part] of parts.entries()) {
      updateEnrollment(id, { again: parts.slice(number) });
      const prefix = parts.length > 1 ? `Part ${number + 1} of ${parts.length}: ` : "";
      const show = (phase: Phase, text: string, share: number | null) =>
        updateEnrollment(id, { phase, text: prefix + text, share: share && (number + share) / parts.length });
      const job = await sendPart(id, part, show, stopped);
      const ended = await followToEnd(id, job, show, stopped);
      if (ended.state !== "done") return finishAs(id, ended, results);
      results.push(ended.message);
    }
    updateEnrollment(id, { again: [] });
    finish(id, "done", results);
  } catch (error) {
    if (isAbort(error)) return finish(id, "cancelled", [...results, "cancelled"]);
    const { title, advice } = describeProblem(error);
    finish(id, "failed", [...results, `${title} ${advice}`.trim()]);
  }
}

type Show = (phase: Phase, text: string, share: number | null) => void;

/** Progress at which a part is packed, and at which it is sent; enrolling it takes by far the longest. */
const PACKED = 0.05;
const SENT = 0.2;

/** The file to send. A zip of the same files is the same file again, so that a broken upload goes on after a reload. */
async function fileOf(part: UploadPart, show: Show, stopped: AbortSignal): Promise<File> {
  if ("file" in part) return part.file;
  show("packing", "Packing…", 0);
  const zip = await zipOf(part.entries, (share) => show("packing", "Packing…", PACKED * share), stopped);
  const modified = part.entries.map(({ file }) => (file instanceof File ? file.lastModified : 0));
  return new File([zip], part.name, {
    lastModified: modified.reduce((one, other) => Math.max(one, other), 0),
  });
}

async function sendPart(id: number, part: UploadPart, show: Show, stopped: AbortSignal): Promise<Job> {
  const file = await fileOf(part, show, stopped);
  const library = enrollments.value.find((other) => other.id === id)?.library.id ?? "";
  const onProgress = (share: number) =>
    share < 1
      ? show("sending", `Uploading, ${Math.floor(100 * share)}%`, PACKED + (SENT - PACKED) * share)
      : show("sending", "Uploaded. The server is checking the files…", SENT);
  const onWait = (_: unknown, seconds: number) =>
    show("sending", `The server is busy; trying again in ${Math.ceil(seconds)} s.`, PACKED);
  const onBreak = async () => {
    show("sending", "The server is not responding. The upload resumes by itself.", PACKED);
    await sleep(1, stopped);
    await until(() => serverThere.value, stopped);
  };
  const options = { signal: stopped, onProgress, onWait };
  const upload = file.size > LARGE_BYTES ? await sendLarge(file, { ...options, onBreak }) : null;
  for (let tried = 1; ; tried++) {
    try {
      if (!upload) return await addInstruments(library, [file], options);
      const job = await addUpload(library, upload, { signal: stopped, onWait });
      forgetUpload(upload);
      return job;
    } catch (error) {
      if (upload && error instanceof ApiProblem && REFUSED.includes(error.status)) void discardUpload(upload);
      if (!(error instanceof ServerAway) || tried === TRIES) throw error;
      await onBreak();
    }
  }
}

async function followToEnd(id: number, job: Job, show: Show, stopped: AbortSignal): Promise<Job> {
  const { library, name } = enrollments.value.find((other) => other.id === id) ?? {};
  if (library && name) rememberJob({ job: job.id, library, name });
  const cancel = () => void cancelJob(job.id).catch(() => undefined);
  stopped.addEventListener("abort", cancel, { once: true });
  try {
    return await followJob(
      job.id,
      (now) => show("running", describeJob(now), SENT + (1 - SENT) * jobShare(now)),
      stopped,
    );
  } catch (error) {
    if (!isAbort(error)) throw error;
    show("running", "Cancelling…", null); // the job ends after its present instrument, and says what it keeps
    return await followJob(job.id, () => undefined, new AbortController().signal);
  } finally {
    stopped.removeEventListener("abort", cancel);
    rememberJob(null, job.id);
    void refreshLibraries();
    enrollmentsEnded.value += 1;
  }
}

function jobShare(job: Job): number {
  return job.total ? Math.min(1, job.done / job.total) : 0;
}

/** Describe a job's progress: `3 of 128 · Fretless Bass`. */
function describeJob(job: Job): string {
  if (job.state === "queued") return "Waiting in the queue…";
  return `${job.done} of ${job.total}${job.message ? ` · ${job.message}` : ""}`;
}

/** Show how a job has ended, and what it keeps if it has not come to its end. */
function finishAs(id: number, job: Job, results: string[] = []): void {
  finish(id, job.state as Phase, [...results, job.message]);
  if (job.state !== "done" && job.kept) updateEnrollment(id, { kept: { job: job.id, number: job.kept } });
}

function finish(id: number, phase: Phase, results: string[]): void {
  controls.delete(id);
  const text = results.join("; ");
  updateEnrollment(id, {
    phase,
    text: text.charAt(0).toUpperCase() + text.slice(1),
    share: phase === "done" ? 1 : null,
  });
}

/** Show the jobs that an earlier visit started. */
function resumeJobs(): void {
  for (const { job, library, name } of rememberedJobs())
    showJob({ ...UNKNOWN_JOB, id: job, state: "queued", library_id: library.id }, library, name);
}

/** Show a job of the service from now on to its end. */
function showJob(job: Job, library: Pick<Library, "id" | "name">, name: string): void {
  const id = addEnrollment(library, name, []);
  const { signal: stopped } = controls.get(id) ?? new AbortController();
  const show: Show = (phase, text, share) => updateEnrollment(id, { phase, text, share });
  followToEnd(id, job, show, stopped).then(
    (ended) => finishAs(id, ended),
    () => finish(id, "cancelled", ["cancelled"]),
  );
}

resumeJobs();
