/** A list that is fetched page by page: no further than it is looked at, nothing twice, and what is not there has a place. */
import { describe, expect, it } from "vitest";
import { Paging, rowsOf } from "../src/library/paging";

const ALL = Array.from({ length: 1234 }, (_, i) => ({ id: `i_${i}` }));
const PAGE = 100;

function pages() {
  const asked: (string | null)[] = [];
  const fault = { now: false };
  const paging = new Paging<{ id: string }>(async (next) => {
    asked.push(next);
    if (fault.now) throw new Error("away");
    const from = Number(next ?? 0);
    const to = from + PAGE;
    return { items: ALL.slice(from, to), next: to < ALL.length ? String(to) : null };
  });
  return { paging, asked, fault };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("paging", () => {
  it("fetches as far as is needed, and no further", async () => {
    const { paging, asked } = pages();
    paging.need(0);
    await settled();
    expect(paging.items.value).toHaveLength(100);
    paging.need(250);
    paging.need(240);
    await settled();
    expect(paging.items.value).toHaveLength(300);
    expect(asked).toEqual([null, "100", "200"]);
    expect(paging.complete.value).toBe(false);
  });

  it("comes to the end, in order, each item once", async () => {
    const { paging } = pages();
    paging.need(5000);
    await settled();
    expect(paging.complete.value).toBe(true);
    expect(paging.items.value).toEqual(ALL);
  });

  it("keeps what it has after a problem, and goes on from there", async () => {
    const { paging, fault } = pages();
    paging.need(150);
    await settled();
    fault.now = true;
    paging.need(250);
    await settled();
    expect(paging.problem.value).toBeInstanceOf(Error);
    expect(paging.items.value).toHaveLength(200);
    fault.now = false;
    paging.retry();
    await settled();
    expect(paging.items.value).toEqual(ALL.slice(0, 300));
  });

  it("takes out, puts back where it was, and replaces", async () => {
    const { paging } = pages();
    paging.need(0);
    await settled();
    expect(paging.remove("i_7")).toBe(7);
    expect(paging.remove("i_7")).toBe(-1);
    paging.insert({ id: "i_7" }, 7);
    paging.insert({ id: "i_7" }, 3);
    expect(paging.items.value).toEqual(ALL.slice(0, 100));
    const changed = { id: "i_7", name: "other" };
    paging.replace(changed);
    expect(paging.items.value[7]).toBe(changed);
  });
});

describe("rows", () => {
  it("have their final number from the beginning where it is known", () => {
    const rows = rowsOf(ALL.slice(0, 100), false, 1234);
    expect(rows).toHaveLength(1234);
    expect(rows[1233]).toEqual({ pending: 1233 });
  });

  it("always hold one that asks for more while there is more, and none afterwards", () => {
    expect(rowsOf(ALL.slice(0, 100), false, 100)).toHaveLength(101);
    expect(rowsOf(ALL.slice(0, 100), false, null)).toHaveLength(200);
    expect(rowsOf(ALL.slice(0, 100), true, 1234)).toHaveLength(100);
  });
});
