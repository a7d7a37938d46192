/** The hash router: addresses round-trip, and unknown ones give the query view. */
import { beforeAll, describe, expect, it, vi } from "vitest";

let hashOf: typeof import("../src/state/route").hashOf;
let routeOf: typeof import("../src/state/route").routeOf;

beforeAll(async () => {
  vi.stubGlobal("location", { hash: "" });
  vi.stubGlobal("addEventListener", () => undefined);
  ({ hashOf, routeOf } = await import("../src/state/route"));
});

describe("routes", () => {
  it.each([
    ["query", null],
    ["query", "q_8c2f"],
    ["library", null],
    ["library", "l_0b/1?e"],
    ["map", "l_0b1e"],
  ] as const)("%s %s comes back", (view, id) => {
    expect(routeOf(hashOf(view, id))).toEqual({ view, id });
  });

  it.each(["", "#", "#/", "#/elsewhere/1", "#main", "#/q/"])("%s is the query view", (hash) => {
    expect(routeOf(hash)).toEqual({ view: "query", id: null });
  });

  it("accepts a broken escape", () => {
    expect(routeOf("#/q/%E0%A4%A")).toEqual({ view: "query", id: "%E0%A4%A" });
  });
});
