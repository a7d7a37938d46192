/** The documents of the HTTP contract, field by field, as app/schemas.py writes them.
 * Names are the contract: fields are added and never renamed. */

export type Mode = "auto" | "paper";
export type Span = [start: number, end: number]; // seconds

export interface Hit {
  instrument_id: string;
  name: string;
  family: string | null;
  similarity: number; // cosine, 1 at best
  preview_url: string;
}

export interface Slot {
  slot: number;
  presence: number; // 0 to 1
  active: Span[];
  hits: Hit[];
  curve: [second: number, presence: number][]; // the centre of every window of the range
  family: string | null;
  close: boolean; // whether the best hit is near enough to be believed
}

export interface QueriedLibrary {
  id: string;
  name: string;
  num_instruments: number;
}

export interface QueryAnswer {
  id: string;
  library: QueriedLibrary;
  mode: Mode;
  encoder: string;
  name: string; // file name of the upload
  duration_seconds: number;
  range_seconds: Span;
  num_instruments: number;
  slots: Slot[];
  retrieved: string[];
  audio_url: string;
  asked_again: string | null; // the query whose audio was asked again
  timing_ms: Record<string, number>;
}

export interface QuerySummary {
  id: string;
  name: string;
  library: QueriedLibrary;
  num_instruments: number;
  created_at: string;
}

export interface Library {
  id: string;
  name: string;
  num_instruments: number;
  created_at: string;
  encoder: string;
  default: boolean;
}

export interface Instrument {
  id: string;
  library_id: string;
  name: string;
  family: string | null;
  source: string;
  num_clips: number;
  licence: string | null;
  playable_range: [lowest: number, highest: number] | null; // MIDI pitches
  preview_url: string;
}

export interface InstrumentChange {
  name?: string;
  family?: string | null;
}

export interface DuplicateGroup {
  similarity: number; // the lowest cosine to the group's first
  instruments: Instrument[];
}

export interface MapPoint {
  instrument_id: string;
  name: string;
  family: string | null;
  x: number; // within ±1
  y: number;
}

export interface MapSlot {
  slot: number;
  x: number;
  y: number;
}

export interface LibraryMap {
  library_id: string;
  points: MapPoint[];
  explained_variance: [number, number] | null;
  method: "t-SNE" | "PCA";
  slots: MapSlot[]; // of the query that was named
}

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Job {
  id: string;
  state: JobState;
  done: number;
  total: number;
  message: string;
  library_id: string | null;
}

export interface Limits {
  max_upload_bytes: number;
  max_decoded_seconds: number;
  max_batch_files: number;
  max_top_k: number;
  families: string[];
  audio_formats: string[];
  library_formats: string[];
}

export interface Readiness {
  ready: boolean;
  device: string;
  encoder: string;
  search: string;
  libraries: number;
  instruments: number;
  progress: { state: JobState; done: number; total: number; message: string } | null;
}

export interface Page<Item> {
  items: Item[];
  next: string | null;
}

/** RFC 9457, with our extensions. */
export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  detail: string;
  value?: unknown;
  limit?: unknown;
  instance?: string;
  request_id?: string;
}

/** What a query is asked with; `file` or `query`, never both. */
export interface Question {
  file?: Blob;
  fileName?: string;
  query?: string; // a stored query whose audio is asked again
  library: string | null;
  topK: number;
  mode: Mode;
  range: Span | null;
  family: string | null;
  exclude: readonly string[];
}
