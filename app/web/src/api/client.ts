/** One function for each call that the page makes to the HTTP API.
 * All functions reject with ApiProblem, ServerAway or an AbortError. */
import { type Options, request, type UploadOptions, upload } from "./transport";
import type {
  Directions,
  DuplicateGroup,
  Hit,
  Instrument,
  InstrumentChange,
  InstrumentKeys,
  InstrumentOrder,
  Job,
  Library,
  LibraryMap,
  Limits,
  Page,
  Parts,
  QueryAnswer,
  QueryForm,
  QuerySummary,
  Question,
  Readiness,
  Session,
  Timeline,
  Watch,
} from "./types";

const PAGE_SIZE = 500; // the service's maximum

function urlWith(path: string, query: Record<string, string | number | null | undefined> = {}): string {
  const given = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length ? `${path}?${search}` : path;
}

const library = (id: string, rest = "") => `/v1/libraries/${encodeURIComponent(id)}${rest}`;
const instrument = (id: string, rest = "") => `/v1/instruments/${encodeURIComponent(id)}${rest}`;
const query = (id: string, rest = "") => `/v1/queries/${encodeURIComponent(id)}${rest}`;

// The service

export const getLimits = (options?: Options) => request<Limits>("GET", "/v1/limits", undefined, options);

/** Fetch readiness. The 503 of a service that is not ready has the same fields. */
export async function getReadiness(signal?: AbortSignal): Promise<Readiness> {
  const answer = await fetch("/readyz", signal ? { signal } : {});
  const document = (await answer.json()) as Partial<Readiness>;
  if (typeof document.ready !== "boolean") throw new Error("this is not the service");
  return document as Readiness;
}

/** Who the page is to the service. */
export const getSession = () => request<Session>("GET", "/v1/session");
export const signIn = (key: string, options?: Options) =>
  request<Session>("POST", "/v1/session", { key }, options);
export const signOut = () => request<void>("DELETE", "/v1/session");

// Queries

/** Find the instruments in a file, or again in the audio of a stored query. */
export function createQuery(question: Question, options?: UploadOptions): Promise<QueryAnswer> {
  return upload<QueryAnswer>("/v1/queries", formOf(question), options);
}

export function formOf(question: Question): FormData {
  const form = new FormData();
  const append = (field: keyof QueryForm, value: string) => form.append(field, value);
  if (question.file)
    form.append("file" satisfies keyof QueryForm, question.file, question.fileName ?? "recording");
  else if (question.query) append("query", question.query);
  if (question.library) append("library", question.library);
  append("top_k", String(question.topK));
  append("mode", question.mode);
  if (question.range) {
    append("start_seconds", question.range[0].toFixed(3));
    append("end_seconds", question.range[1].toFixed(3));
  }
  if (question.family) append("family", question.family);
  for (const id of question.exclude) append("exclude", id);
  if (question.effects) append("effects", "true");
  return form;
}

export const getQuery = (id: string, options?: Options) =>
  request<QueryAnswer>("GET", query(id), undefined, options);
/** The newest queries; each word of `search` is part of the name. */
export const listQueries = (limit: number, search: string, options?: Options) =>
  request<Page<QuerySummary>>("GET", urlWith("/v1/queries", { limit, search }), undefined, options);
/** Rename the track of a query. */
export const renameTrack = (id: string, name: string) => request<QueryAnswer>("PATCH", query(id), { name });
export const deleteQuery = (id: string) => request<void>("DELETE", query(id));
/** Delete a query while the page is being left. */
export const deleteQueryOnLeaving = (id: string) =>
  void fetch(query(id), { method: "DELETE", keepalive: true });

/** Which families sound when. */
export const getTimeline = (id: string, options?: Options) =>
  request<Timeline>("GET", query(id, "/timeline"), undefined, options);

/** How surely the notes of each slot are its own. */
export const getParts = (id: string, options?: Options) =>
  request<Parts>("GET", query(id, "/parts"), undefined, options);
/** The download address for the notes of a slot. */
export const midiUrl = (id: string, slot: number) => query(id, `/slots/${slot}/midi`);
/** The address of the part of a slot, played by an instrument. */
export const renderedPartUrl = (id: string, slot: number, instrumentId: string) =>
  urlWith(query(id, `/slots/${slot}/render`), { instrument: instrumentId });
/** The address of what a slot isolates, or with `mute` of the track without it. */
export const isolatedUrl = (id: string, slot: number, mute: boolean) =>
  urlWith(query(id, `/slots/${slot}/isolated`), { mute: mute ? "true" : null });

/** The download address for the chosen instruments of a query. */
export function exportUrl(
  id: string,
  format: "json" | "csv" | "zip",
  instruments: readonly string[],
  sources = false,
): string {
  const search = new URLSearchParams([
    ["format", format],
    ...(sources ? [["sources", "true"]] : []),
    ...instruments.map((item) => ["instruments", item]),
  ]);
  return `${query(id, "/export")}?${search}`;
}

// Libraries

/** List all libraries, by name. */
export const listLibraries = (options?: Options) =>
  fetchAllPages<Library>((next) => urlWith("/v1/libraries", { limit: PAGE_SIZE, next }), options);
export const createLibrary = (name: string) => request<Library>("POST", "/v1/libraries", { name });
export const renameLibrary = (id: string, name: string) => request<Library>("PATCH", library(id), { name });
export const shareLibrary = (id: string, shared: boolean) =>
  request<Library>("PATCH", library(id), { shared });
export const deleteLibrary = (id: string) => request<void>("DELETE", library(id));
/** Embed a library of another encoder again. Returns the job to follow. */
export const reembedLibrary = (id: string) => request<Job>("POST", library(id, "/reembed"));
export const restoreLibrary = (id: string) => request<Library>("POST", library(id, "/restore"));
export const getDuplicates = (id: string, minSimilarity = 0.98, limit = 100, options?: Options) =>
  request<{ groups: DuplicateGroup[] }>(
    "GET",
    urlWith(library(id, "/duplicates"), { min_similarity: minSimilarity, limit }),
    undefined,
    options,
  );
export const getMap = (id: string, queryId: string | null = null, options?: Options) =>
  request<LibraryMap>("GET", urlWith(library(id, "/map"), { query: queryId }), undefined, options);

/** Enroll audio files, zips of folders, SoundFonts or zips with .sfz. Returns the job to follow. */
export function addInstruments(id: string, files: readonly File[], options?: UploadOptions): Promise<Job> {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  return upload<Job>(library(id, "/instruments"), form, options);
}

/** Enroll the file of a complete upload (api/resumable.ts); asked again, it is the same job. */
export const addUpload = (id: string, upload: string, options: Options = {}) =>
  request<Job>(
    "POST",
    library(id, "/sources"),
    { upload },
    {
      ...options,
      headers: { "Idempotency-Key": `${id}/${upload}` },
    },
  );

/** Enroll a file or folder of the server once. Returns the job to follow. */
export const addPath = (id: string, path: string) => request<Job>("POST", library(id, "/sources"), { path });

/** List the folders of the server that a library follows. */
export const listWatches = (id: string, options?: Options) =>
  request<{ items: Watch[] }>("GET", library(id, "/watch"), undefined, options);
export const followFolder = (id: string, path: string) =>
  request<Watch>("POST", library(id, "/watch"), { path });
export const endWatch = (id: string, path: string) =>
  request<void>("DELETE", urlWith(library(id, "/watch"), { path }));

// Instruments

/** Address of an instrument's source: its recording, a zip of several, its SoundFont or its .sfz. */
export const sourceUrl = (id: string) => `/v1/instruments/${encodeURIComponent(id)}/source`;

export interface InstrumentFilter {
  family?: string | null; // `unknown`: those without one
  search?: string;
  favourite?: boolean;
  sort?: InstrumentOrder;
}

export const listInstruments = (
  id: string,
  filter: InstrumentFilter = {},
  next: string | null = null,
  options?: Options,
  limit = PAGE_SIZE,
) =>
  request<Page<Instrument>>(
    "GET",
    urlWith(library(id, "/instruments"), {
      limit,
      next,
      family: filter.family,
      search: filter.search,
      favourite: filter.favourite ? "true" : null,
      sort: filter.sort,
    }),
    undefined,
    options,
  );

export const changeInstrument = (id: string, change: InstrumentChange) =>
  request<Instrument>("PATCH", instrument(id), change);
export const deleteInstrument = (id: string) => request<void>("DELETE", instrument(id));
export const restoreInstrument = (id: string) => request<Instrument>("POST", instrument(id, "/restore"));
/** The instruments most similar to one; directions that are zero change nothing. */
export const getSimilar = (id: string, limit = 10, to: Partial<Directions> = {}, options?: Options) =>
  request<{ items: Hit[] }>("GET", urlWith(instrument(id, "/similar"), { limit, ...to }), undefined, options);
/** The pitches that an instrument plays as single notes. */
export const getKeys = (id: string, options?: Options) =>
  request<InstrumentKeys>("GET", instrument(id, "/keys"), undefined, options);
/** The address of one note of an instrument. */
export const noteUrl = (id: string, pitch: number, velocity: number) =>
  urlWith(instrument(id, "/note"), { pitch, velocity });

// Jobs

export const getJob = (id: string, options?: Options) =>
  request<Job>("GET", `/v1/jobs/${encodeURIComponent(id)}`, undefined, options);
export const cancelJob = (id: string) => request<Job>("DELETE", `/v1/jobs/${encodeURIComponent(id)}`);
export const takeInstrumentsOut = (id: string) =>
  request<Job>("DELETE", `/v1/jobs/${encodeURIComponent(id)}/instruments`);
export const putInstrumentsBack = (id: string) =>
  request<Job>("POST", `/v1/jobs/${encodeURIComponent(id)}/instruments/restore`);

/** Call `onChange` after every change of a job until it ends. Returns a function that stops listening.
 * The browser reconnects when the server returns, and the first event is then the job's current state.
 * `onLost` is called when the connection fails, for callers that prefer to poll. */
export function watchJob(
  id: string,
  onChange: (job: Job) => void,
  onLost: () => void = () => undefined,
): () => void {
  const events = new EventSource(`/v1/jobs/${encodeURIComponent(id)}/events`);
  events.onmessage = (event: MessageEvent<string>) => {
    const job = JSON.parse(event.data) as Job;
    if (job.state !== "queued" && job.state !== "running") events.close();
    onChange(job);
  };
  events.onerror = onLost;
  return () => events.close();
}

async function fetchAllPages<Item>(
  path: (next: string | null) => string,
  options?: Options,
): Promise<Item[]> {
  const found: Item[] = [];
  let next: string | null = null;
  do {
    const page: Page<Item> = await request<Page<Item>>("GET", path(next), undefined, options);
    found.push(...page.items);
    next = page.next;
  } while (next !== null);
  return found;
}
