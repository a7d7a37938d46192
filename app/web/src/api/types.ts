/** The documents of the HTTP API, under the page's names.
 * openapi.ts is generated from the service's OpenAPI document by `make types`; this file only gives aliases. */
import type { components } from "./openapi";

type Schemas = components["schemas"];

export type QueryAnswer = Schemas["QueryAnswer"];
export type QuerySummary = Schemas["QuerySummary"];
export type QueryForm = Schemas["QueryForm"];
export type Slot = Schemas["SlotOut"];
export type MatchWord = Schemas["MatchOut"]["word"];
export type HeardFamily = Schemas["HeardFamilyOut"];
/** Hits of a slot also say why they are hits. */
export type Hit = Schemas["HitOut"] & Partial<Pick<Schemas["SlotHitOut"], "best_span" | "lead">>;
export type Parts = Schemas["PartsOut"];
export type Timeline = Schemas["TimelineOut"];
export type FamilyRow = Schemas["FamilyRowOut"];
export type Library = Schemas["LibraryOut"];
export type Instrument = Schemas["InstrumentOut"];
export type InstrumentKeys = Schemas["KeysOut"];
export type DuplicateGroup = Schemas["DuplicateGroup"];
export type LibraryMap = Schemas["MapOut"];
export type MapPoint = Schemas["MapPoint"];
export type Job = Schemas["JobOut"];
export type Watch = Schemas["WatchOut"];
export type Limits = Schemas["LimitsOut"];
export type Session = Schemas["SessionOut"];
export type Readiness = Schemas["Readiness"];

export type Mode = QueryAnswer["mode"];
export type Span = QueryAnswer["range_seconds"]; // start and end in seconds

/** A correction of an instrument; the families come from the service's limits, so any string is allowed here. */
export type InstrumentChange = Omit<Schemas["InstrumentPatch"], "family"> & { family?: string | null };

/** How a list of instruments can be ordered; `enrolled`: the oldest first. */
export type InstrumentOrder = "enrolled" | "newest" | "name" | "family";

/** Where similar instruments are looked for, each from -1 to 1: darker to brighter, softer to harder, shorter to longer. */
export interface Directions {
  brightness: number;
  attack: number;
  length: number;
}

/** One page of any list. */
export type Page<Item> = Pick<Schemas["InstrumentPage"], "next"> & { items: Item[] };

/** A problem document (RFC 9457); a proxy's has only the required fields. */
export type ProblemDocument = Pick<Schemas["Problem"], "type" | "title" | "status" | "detail"> &
  Partial<Schemas["Problem"]>;

/** A query before it is sent; `file` or `query`, never both. */
export interface Question {
  file?: Blob;
  fileName?: string;
  query?: string; // id of a stored query, to query its audio again
  library: string | null;
  topK: number;
  mode: Mode;
  range: Span | null;
  family: string | null;
  exclude: readonly string[];
  effects: boolean; // whether sound effects may be hits
}
