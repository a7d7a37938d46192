/** Polls the service's readiness: often while it is away or preparing, rarely while it is ready.
 * Also fetches its limits. */
import { computed, effect, signal } from "@preact/signals";
import { getLimits, getReadiness } from "../api/client";
import { connection } from "../api/transport";
import type { Limits, Readiness } from "../api/types";
import { fetchSession, mustSignIn, session } from "./session";

export type ServerState = "unknown" | "preparing" | "ready" | "away";

const WELL_SECONDS = 20;
const CHANGING_SECONDS = 1.5;

export const readiness = signal<Readiness | null>(null);
export const serverState = signal<ServerState>("unknown");
export const limits = signal<Limits>({
  max_upload_bytes: 100 * 1024 * 1024,
  max_library_bytes: 1024 * 1024 * 1024,
  max_decoded_seconds: 1800,
  max_batch_files: 32,
  max_top_k: 100,
  families: [
    ...["bass", "brass", "flute", "guitar", "keyboard", "mallet"],
    ...["organ", "reed", "string", "synth_lead", "vocal", "drum", "synth_pad", "effect"],
  ],
  audio_formats: ["wav", "aiff", "flac", "ogg", "opus", "mp3", "m4a", "aac"],
  library_formats: ["wav", "aiff", "flac", "ogg", "opus", "mp3", "m4a", "aac", "zip", "sf2", "sf3", "sfz"],
  source_roots: [],
}); // the service's defaults, until its own limits arrive
export const serverThere = computed(() => serverState.value === "ready" || serverState.value === "preparing");

let timer: ReturnType<typeof setTimeout> | undefined;
let limitsKnown = false;

async function checkReadiness(): Promise<void> {
  clearTimeout(timer);
  try {
    const seen = await getReadiness(AbortSignal.timeout(20_000));
    if (!session.value) await fetchSession();
    readiness.value = seen;
    serverState.value = seen.ready || !seen.progress ? "ready" : "preparing"; // a full disk is not waited for
    if (!limitsKnown && !mustSignIn.value) await fetchLimits();
  } catch {
    serverState.value = "away";
  }
  clearTimeout(timer);
  timer = setTimeout(
    checkReadiness,
    1000 * (serverState.value === "ready" ? WELL_SECONDS : CHANGING_SECONDS),
  );
}

async function fetchLimits(): Promise<void> {
  limits.value = await getLimits();
  limitsKnown = true;
}

/** Start polling; called once by main. */
export function watchServer(): void {
  connection.onContact = (there) => {
    if (there ? serverState.value === "away" : serverState.value !== "away") {
      if (!there) serverState.value = "away";
      void checkReadiness();
    }
  };
  addEventListener("online", () => void checkReadiness());
  document.addEventListener("visibilitychange", () => !document.hidden && void checkReadiness());
  void checkReadiness();
}

/** Resolve when `condition`, computed from signals, is true; reject when `signal` is aborted. */
export function until(condition: () => boolean, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let dispose: (() => void) | undefined;
    const end = (settle: () => void) => {
      signal.removeEventListener("abort", stop);
      settle();
      queueMicrotask(() => dispose?.()); // an effect must not dispose itself during its first run
    };
    const stop = () => end(() => reject(new DOMException("cancelled", "AbortError")));
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop);
    dispose = effect(() => {
      if (condition()) end(resolve);
    });
  });
}
