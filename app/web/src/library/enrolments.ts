/** What is being added to libraries: packed, sent and listened to one parcel after another, whatever view is shown.
 * Running jobs are remembered in localStorage, so that a reloaded page still shows how they end. */
import { signal } from "@preact/signals";
import { addInstruments, cancelJob } from "../api/client";
import { isAbort, ServerAway, sentenceOf } from "../api/problem";
import { pause } from "../api/transport";
import type { Job, Library } from "../api/types";
import { refreshLibraries } from "../state/libraries";
import { serverThere, until } from "../state/server";
import type { Parcel, Plan } from "./plan";
import { rememberedJobs, rememberJob } from "./remembered";
import { followed } from "./watch";
import { zipOf } from "./zip";

export type Phase = "packing" | "sending" | "running" | "done" | "failed" | "cancelled";

export interface Enrolment {
  id: number;
  library: { id: string; name: string };
  name: string;
  phase: Phase;
  text: string;
  share: number | null; // of everything, 0 to 1; null: not known
  again: Parcel[]; // what would be sent by trying again
}

const TRIES = 3; // of one upload whose connection breaks

export const enrolments = signal<Enrolment[]>([]);
/** Counts up whenever instruments have been added, so that lists ask again. */
export const added = signal(0);

const controls = new Map<number, AbortController>();
let count = 0;

/** Begin to add `plan` to `library`. */
export function enrol(library: Pick<Library, "id" | "name">, plan: Pick<Plan, "name" | "parcels">): void {
  const id = begin(library, plan.name, plan.parcels);
  void run(id, plan.parcels);
}

/** Stop: what is not sent yet stays here, and a job that runs stores nothing. */
export function cancelEnrolment(id: number): void {
  controls.get(id)?.abort();
}

/** Send again what was not added. */
export function tryAgain(id: number): void {
  const enrolment = enrolments.value.find((other) => other.id === id);
  if (!enrolment) return;
  dismissEnrolment(id);
  enrol(enrolment.library, { name: enrolment.name, parcels: enrolment.again });
}

export function dismissEnrolment(id: number): void {
  enrolments.value = enrolments.value.filter((other) => other.id !== id);
}

export function isOver({ phase }: Enrolment): boolean {
  return phase === "done" || phase === "failed" || phase === "cancelled";
}

function begin(library: Pick<Library, "id" | "name">, name: string, again: Parcel[]): number {
  const id = ++count;
  const { id: libraryId, name: libraryName } = library;
  enrolments.value = [
    ...enrolments.value,
    { id, library: { id: libraryId, name: libraryName }, name, phase: "packing", text: "", share: 0, again },
  ];
  controls.set(id, new AbortController());
  return id;
}

function change(id: number, values: Partial<Enrolment>): void {
  enrolments.value = enrolments.value.map((other) => (other.id === id ? { ...other, ...values } : other));
}

async function run(id: number, parcels: readonly Parcel[]): Promise<void> {
  const results: string[] = [];
  const { signal: stopped } = controls.get(id) ?? new AbortController();
  try {
    for (const [number, parcel] of parcels.entries()) {
      change(id, { again: parcels.slice(number) });
      const part = parcels.length > 1 ? `Part ${number + 1} of ${parcels.length}: ` : "";
      const show = (phase: Phase, text: string, share: number | null) =>
        change(id, { phase, text: part + text, share: share && (number + share) / parcels.length });
      const job = await sent(id, parcel, show, stopped);
      const ended = await heard(id, job, show, stopped);
      if (ended.state !== "done") return over(id, ended.state as Phase, [...results, ended.message]);
      results.push(ended.message);
    }
    change(id, { again: [] });
    over(id, "done", results);
  } catch (error) {
    if (isAbort(error)) return over(id, "cancelled", [...results, "cancelled"]);
    const { title, advice } = sentenceOf(error);
    over(id, "failed", [...results, `${title} ${advice}`.trim()]);
  }
}

type Show = (phase: Phase, text: string, share: number | null) => void;

/** Shares of a parcel's bar at which it is packed, and sent; listening to it takes by far the longest. */
const PACKED = 0.05;
const SENT = 0.2;

async function sent(id: number, parcel: Parcel, show: Show, stopped: AbortSignal): Promise<Job> {
  let file: File;
  if ("file" in parcel) file = parcel.file;
  else {
    show("packing", "Packing…", 0);
    const zip = await zipOf(parcel.entries, (share) => show("packing", "Packing…", PACKED * share), stopped);
    file = new File([zip], parcel.name);
  }
  const library = enrolments.value.find((other) => other.id === id)?.library.id ?? "";
  for (let tried = 1; ; tried++) {
    try {
      return await addInstruments(library, [file], {
        signal: stopped,
        onProgress: (share) =>
          share < 1
            ? show("sending", `Sending, ${Math.floor(100 * share)} %`, PACKED + (SENT - PACKED) * share)
            : show("sending", "Sent; the server is checking it…", SENT),
        onWait: (_, seconds) =>
          show("sending", `The server is busy; trying again in ${Math.ceil(seconds)} s.`, PACKED),
      });
    } catch (error) {
      if (!(error instanceof ServerAway) || tried === TRIES) throw error;
      show("sending", "The server is away; this goes on by itself once it is back.", PACKED);
      await pause(1, stopped);
      await until(() => serverThere.value, stopped);
    }
  }
}

async function heard(id: number, job: Job, show: Show, stopped: AbortSignal): Promise<Job> {
  const { library, name } = enrolments.value.find((other) => other.id === id) ?? {};
  if (library && name) rememberJob({ job: job.id, library, name });
  const cancel = () => void cancelJob(job.id).catch(() => undefined);
  stopped.addEventListener("abort", cancel, { once: true });
  try {
    return await followed(
      job.id,
      (now) => show("running", jobWords(now), SENT + (1 - SENT) * jobShare(now)),
      stopped,
    );
  } finally {
    stopped.removeEventListener("abort", cancel);
    rememberJob(null, job.id);
    void refreshLibraries();
    added.value += 1;
  }
}

export function jobShare(job: Job): number {
  return job.total ? Math.min(1, job.done / job.total) : 0;
}

/** What a job is at, in words: `3 of 128 · Fretless Bass`. */
export function jobWords(job: Job): string {
  if (job.state === "queued") return "Waiting for its turn…";
  return `${job.done} of ${job.total}${job.message ? ` · ${job.message}` : ""}`;
}

function over(id: number, phase: Phase, results: string[]): void {
  controls.delete(id);
  const text = results.join("; ");
  change(id, {
    phase,
    text: text.charAt(0).toUpperCase() + text.slice(1),
    share: phase === "done" ? 1 : null,
  });
}

/** Go on showing what an earlier visit began. */
export function takeUpJobs(): void {
  for (const { job, library, name } of rememberedJobs()) {
    const id = begin(library, name, []);
    const { signal: stopped } = controls.get(id) ?? new AbortController();
    const show: Show = (phase, text, share) => change(id, { phase, text, share });
    const start: Job = { id: job, state: "queued", done: 0, total: 0, message: "", library_id: library.id };
    heard(id, start, show, stopped).then(
      (ended) => over(id, ended.state as Phase, [ended.message]),
      () => over(id, "cancelled", ["cancelled"]),
    );
  }
}

takeUpJobs();
