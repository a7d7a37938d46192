/** Every call of the HTTP contract that the page makes, by name.
 * The functions reject with ApiProblem, ServerAway or an AbortError, and with nothing else. */
import { type Options, request, type UploadOptions, upload } from "./transport";
import type {
  DuplicateGroup,
  Hit,
  Instrument,
  InstrumentChange,
  Job,
  Library,
  LibraryMap,
  Limits,
  Page,
  QueryAnswer,
  QuerySummary,
  Question,
  Readiness,
} from "./types";

const PAGE_SIZE = 500; // the most the service gives at once

function address(path: string, query: Record<string, string | number | null | undefined> = {}): string {
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

/** Readiness, also while the service is not ready: the 503 carries the same fields. */
export async function getReadiness(signal?: AbortSignal): Promise<Readiness> {
  const answer = await fetch("/readyz", signal ? { signal } : {});
  const document = (await answer.json()) as Partial<Readiness>;
  if (typeof document.ready !== "boolean") throw new Error("this is not the service");
  return document as Readiness;
}

// Queries

/** Ask which instruments of a library make the sound of a file, or of a stored query's audio. */
export function ask(question: Question, options?: UploadOptions): Promise<QueryAnswer> {
  return upload<QueryAnswer>("/v1/queries", formOf(question), options);
}

export function formOf(question: Question): FormData {
  const form = new FormData();
  if (question.file) form.append("file", question.file, question.fileName ?? "recording");
  else if (question.query) form.append("query", question.query);
  if (question.library) form.append("library", question.library);
  form.append("top_k", String(question.topK));
  form.append("mode", question.mode);
  if (question.range) {
    form.append("start_seconds", question.range[0].toFixed(3));
    form.append("end_seconds", question.range[1].toFixed(3));
  }
  if (question.family) form.append("family", question.family);
  for (const id of question.exclude) form.append("exclude", id);
  return form;
}

export const getQuery = (id: string, options?: Options) =>
  request<QueryAnswer>("GET", query(id), undefined, options);
export const listQueries = (limit = 20, next: string | null = null, options?: Options) =>
  request<Page<QuerySummary>>("GET", address("/v1/queries", { limit, next }), undefined, options);

/** Where the chosen set of a query is downloaded from. */
export function exportUrl(
  id: string,
  format: "json" | "csv" | "zip",
  instruments: readonly string[],
): string {
  const search = new URLSearchParams([
    ["format", format],
    ...instruments.map((item) => ["instruments", item]),
  ]);
  return `${query(id, "/export")}?${search}`;
}

// Libraries

/** All libraries, by name. */
export const listLibraries = (options?: Options) =>
  everything<Library>((next) => address("/v1/libraries", { limit: PAGE_SIZE, next }), options);
export const createLibrary = (name: string) => request<Library>("POST", "/v1/libraries", { name });
export const renameLibrary = (id: string, name: string) => request<Library>("PATCH", library(id), { name });
export const deleteLibrary = (id: string) => request<void>("DELETE", library(id));
export const restoreLibrary = (id: string) => request<Library>("POST", library(id, "/restore"));
export const getDuplicates = (id: string, minSimilarity = 0.98, limit = 100, options?: Options) =>
  request<{ groups: DuplicateGroup[] }>(
    "GET",
    address(library(id, "/duplicates"), { min_similarity: minSimilarity, limit }),
    undefined,
    options,
  );
export const getMap = (id: string, queryId: string | null = null, options?: Options) =>
  request<LibraryMap>("GET", address(library(id, "/map"), { query: queryId }), undefined, options);

/** Enroll instruments: audio files, zips of folders, SoundFonts, zips with .sfz. The answer is a job to watch. */
export function addInstruments(id: string, files: readonly File[], options?: UploadOptions): Promise<Job> {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  return upload<Job>(library(id, "/instruments"), form, options);
}

// Instruments

export interface InstrumentFilter {
  family?: string | null;
  search?: string;
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
    address(library(id, "/instruments"), { limit, next, family: filter.family, search: filter.search }),
    undefined,
    options,
  );

export const changeInstrument = (id: string, change: InstrumentChange) =>
  request<Instrument>("PATCH", instrument(id), change);
export const deleteInstrument = (id: string) => request<void>("DELETE", instrument(id));
export const restoreInstrument = (id: string) => request<Instrument>("POST", instrument(id, "/restore"));
export const getSimilar = (id: string, limit = 10, options?: Options) =>
  request<{ items: Hit[] }>("GET", address(instrument(id, "/similar"), { limit }), undefined, options);

// Jobs

export const getJob = (id: string, options?: Options) =>
  request<Job>("GET", `/v1/jobs/${encodeURIComponent(id)}`, undefined, options);
export const cancelJob = (id: string) => request<Job>("DELETE", `/v1/jobs/${encodeURIComponent(id)}`);

/** Tells of a job after every change until it has ended; the function returned stops listening. Survives a server that
 * goes away: the browser connects again, and the first event after that is the job as it stands. `onLost` hears when the
 * connection fails, for those who would rather ask than wait. */
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

async function everything<Item>(path: (next: string | null) => string, options?: Options): Promise<Item[]> {
  const found: Item[] = [];
  let next: string | null = null;
  do {
    const page: Page<Item> = await request<Page<Item>>("GET", path(next), undefined, options);
    found.push(...page.items);
    next = page.next;
  } while (next !== null);
  return found;
}
