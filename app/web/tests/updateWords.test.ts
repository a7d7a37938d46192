/** A library that another encoder made says what is missing, what an update left out, and how far it is. */
import { describe, expect, it } from "vitest";
import type { Job, Library } from "../src/api/types";
import { UNKNOWN_JOB } from "../src/library/followJob";
import { describePreviews, describeState, describeUpdate } from "../src/library/updateWords";

const library = (values: Partial<Library>): Library => ({
  id: "l_1",
  name: "Mine",
  num_instruments: 8,
  created_at: "2026-11-20T12:00:00Z",
  encoder: "sha256:0",
  default: false,
  state: "ready",
  state_reason: null,
  num_stale: 0,
  num_from_previews: 0,
  update_job: null,
  filling: false,
  shared: false,
  writable: true,
  ...values,
});

const job = (values: Partial<Job>): Job => ({ ...UNKNOWN_JOB, id: "j_1", kind: "reembed", ...values });

const lost = (count: number) =>
  Array.from({ length: count }, (_, number) => ({ name: `Lost ${number}`, reason: "gone" }));

describe("the state of a library", () => {
  it("is silent when all of it can be searched, however its last update ended", () => {
    for (const ended of [null, job({ state: "done" }), job({ state: "failed", skipped: lost(1) })])
      expect(describeState(library({}), ended)).toBeNull();
  });

  it("says whether all or a part is not searched", () => {
    const all = describeState(library({ state: "stale", num_stale: 8 }), null);
    expect(all?.title).toMatch(/^This library was made with another encoder/);
    expect(all?.advice).toMatch(/cannot be searched until updated/);
    const some = describeState(library({ state: "partly_stale", num_stale: 2 }), null);
    expect(some?.title).toMatch(/^2 of 8 instruments were made/);
  });

  it("names what an update left out, and counts the rest", () => {
    const words = describeState(
      library({ state: "partly_stale", num_stale: 7 }),
      job({ state: "done", skipped: lost(7) }),
    );
    expect(words?.advice).toBe(
      "Could not be updated: Lost 0 (gone), Lost 1 (gone), Lost 2 (gone), Lost 3 (gone), Lost 4 (gone) and 2 more.",
    );
  });

  it("says how an update ended that changed nothing", () => {
    const stale = library({ state: "stale", num_stale: 8 });
    expect(describeState(stale, job({ state: "cancelled" }))?.advice).toMatch(/goes on where it was/);
    expect(describeState(stale, job({ state: "failed", message: "disk full" }))?.advice).toBe(
      "The update failed: disk full.",
    );
    expect(describeState(stale, job({ state: "failed", skipped: lost(1) }))?.advice).toBe(
      "The update failed: Lost 0 (gone).",
    );
  });
});

describe("an update", () => {
  it("shows how far it is", () => {
    expect(describeUpdate(job({ state: "queued" }))).toBe("Waiting to be updated…");
    expect(describeUpdate(job({ state: "running", done: 3, total: 8, message: "Bass" }))).toBe(
      "Updating: 3 of 8 · Bass",
    );
  });

  it("from previews is admitted", () => {
    expect(describePreviews(library({}))).toBeNull();
    expect(describePreviews(library({ num_from_previews: 1 }))).toMatch(
      /^1 instrument was updated from prev/,
    );
    expect(describePreviews(library({ num_from_previews: 3 }))).toMatch(/^3 instruments were/);
  });
});
