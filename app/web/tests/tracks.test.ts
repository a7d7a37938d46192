/** The history by track: one entry for all queries about an upload, and the words that tell them apart. */
import { describe, expect, it } from "vitest";
import type { QuerySummary } from "../src/api/types";
import { tracksOf, variantWords } from "../src/query/tracks";

function query(id: string, track: string, more: Partial<QuerySummary> = {}): QuerySummary {
  return {
    id,
    track,
    name: `${track}.wav`,
    library: { id: "l_1", name: "TimGM6mb", num_instruments: 136 },
    num_instruments: 3,
    created_at: "2026-11-20T12:00:00Z",
    range_seconds: [0, 20],
    duration_seconds: 20,
    family: null,
    ...more,
  };
}

describe("tracks", () => {
  it("gather their queries, and come in the order of their newest", () => {
    const found = tracksOf([query("q_4", "b"), query("q_3", "a"), query("q_2", "b"), query("q_1", "c")]);
    expect(found.map(({ id }) => id)).toEqual(["b", "a", "c"]);
    expect(found[0]?.queries.map(({ id }) => id)).toEqual(["q_4", "q_2"]);
    expect(found[0]?.newest.id).toBe("q_4");
    expect(tracksOf([])).toEqual([]);
  });

  it("tell their queries apart by range, library and filter", () => {
    expect(variantWords(query("q_1", "a"))).toBe("whole track · TimGM6mb");
    const part = query("q_2", "a", { range_seconds: [4, 12.5], family: "synth_lead" });
    expect(variantWords(part)).toBe("0:04.0 to 0:12.5 · TimGM6mb · only synth lead");
  });
});
