/** The history by track: all queries about one upload together, as its variants. */
import type { QuerySummary } from "../api/types";
import { familyName } from "../ui/Family";
import { formatClock } from "./timeFormat";

export interface Track {
  id: string;
  newest: QuerySummary;
  queries: readonly QuerySummary[]; // newest first
}

/** Group queries, newest first, by track; the track that was asked about last comes first. */
export function tracksOf(queries: readonly QuerySummary[]): Track[] {
  const tracks = new Map<string, Track>();
  for (const query of queries) {
    const { newest, queries: others } = tracks.get(query.track) ?? { newest: query, queries: [] };
    tracks.set(query.track, { id: query.track, newest, queries: [...others, query] });
  }
  return [...tracks.values()];
}

/** `0:04.0 to 0:12.0 · TimGM6mb · only bass`. */
export function variantWords(query: QuerySummary): string {
  const [start, end] = query.range_seconds;
  const isWhole = start < 0.1 && end > query.duration_seconds - 0.1;
  const range = isWhole ? "whole track" : `${formatClock(start)} to ${formatClock(end)}`;
  const filter = query.family ? [`only ${familyName(query.family)}`] : [];
  return [range, query.library.name, ...filter].join(" · ");
}
