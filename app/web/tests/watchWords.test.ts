/** A followed folder says how it goes, what could not be used, and when the list of instruments has to be loaded again. */
import { describe, expect, it } from "vitest";
import type { Watch } from "../src/api/types";
import { describeSkipped, describeWatch, hasFollowed } from "../src/library/watchWords";

const watch = (values: Partial<Watch>): Watch => ({
  id: "w_1",
  library_id: "l_1",
  path: "/srv/samples",
  state: "following",
  message: null,
  synced_at: "2026-11-20T12:00:00Z",
  created_at: "2026-11-20T11:00:00Z",
  job: null,
  skipped: [],
  ...values,
});

describe("a followed folder", () => {
  it("says how it goes", () => {
    expect(describeWatch(watch({}))).toMatch(/holds what the folder holds/);
    expect(describeWatch(watch({ synced_at: null }))).toMatch(/^Looking/);
    expect(describeWatch(watch({ job: "j_1" }))).toMatch(/is following…$/);
    expect(describeWatch(watch({ state: "paused", job: "j_1" }))).toMatch(/^Nobody follows it/);
    expect(describeWatch(watch({ state: "waiting", message: "the folder is gone" }))).toBe(
      "The folder is gone.",
    );
  });

  it("names what could not be used, and counts the rest", () => {
    expect(describeSkipped(watch({}))).toBeNull();
    const skipped = ["a", "b", "c", "d", "e"].map((name) => ({ name, reason: "silent" }));
    expect(describeSkipped(watch({ skipped }))).toBe(
      "Not used: a (silent), b (silent), c (silent) and 2 more.",
    );
  });

  it("is seen to have changed the library", () => {
    const quiet = watch({});
    const running = watch({ job: "j_1" });
    expect(hasFollowed([], [quiet])).toBe(false);
    expect(hasFollowed([quiet], [quiet])).toBe(false);
    expect(hasFollowed([quiet], [running])).toBe(false);
    expect(hasFollowed([running], [quiet])).toBe(true);
    expect(hasFollowed([quiet], [watch({ synced_at: "2026-11-20T13:00:00Z" })])).toBe(true);
    expect(hasFollowed([quiet], [])).toBe(false);
  });
});
