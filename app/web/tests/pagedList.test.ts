/** The paged list: fetches only as far as needed, nothing twice, with placeholders for missing items. */
import { describe, expect, it } from "vitest";
import { PagedList, rowsOf } from "../src/library/pagedList";

const ALL = Array.from({ length: 1234 }, (_, i) => ({ id: `i_${i}` }));
const PAGE = 100;

function pages() {
  const asked: (string | null)[] = [];
  const fault = { now: false };
  const paging = new PagedList<{ id: string }>(async (next) => {
    asked.push(next);
    if (fault.now) throw new Error("away");
    const from = Number(next ?? 0);
    const to = from + PAGE;
    return { items: ALL.slice(from, to), next: to < ALL.length ? String(to) : null };
  });
  return { paging, asked, fault };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

describe("paged list", () => {
  it("fetches as far as is needed, and no further", async () => {
    const { paging, asked } = pages();
    paging.ensure(0);
    await settled();
    expect(paging.items.value).toHaveLength(100);
    paging.ensure(250);
    paging.ensure(240);
    await settled();
    expect(paging.items.value).toHaveLength(300);
    expect(asked).toEqual([null, "100", "200"]);
    expect(paging.complete.value).toBe(false);
  });

  it("reaches the end, in order, each item once", async () => {
    const { paging } = pages();
    paging.ensure(5000);
    await settled();
    expect(paging.complete.value).toBe(true);
    expect(paging.items.value).toEqual(ALL);
  });

  it("keeps its items after a problem, and continues", async () => {
    const { paging, fault } = pages();
    paging.ensure(150);
    await settled();
    fault.now = true;
    paging.ensure(250);
    await settled();
    expect(paging.problem.value).toBeInstanceOf(Error);
    expect(paging.items.value).toHaveLength(200);
    fault.now = false;
    paging.retry();
    await settled();
    expect(paging.items.value).toEqual(ALL.slice(0, 300));
  });

  it("removes, restores and replaces items", async () => {
    const { paging } = pages();
    paging.ensure(0);
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
  it("have their final number from the start if it is known", () => {
    const rows = rowsOf(ALL.slice(0, 100), false, 1234);
    expect(rows).toHaveLength(1234);
    expect(rows[1233]).toEqual({ pending: 1233 });
  });

  it("include a placeholder as long as more items exist", () => {
    expect(rowsOf(ALL.slice(0, 100), false, 100)).toHaveLength(101);
    expect(rowsOf(ALL.slice(0, 100), false, null)).toHaveLength(200);
    expect(rowsOf(ALL.slice(0, 100), true, 1234)).toHaveLength(100);
  });
});
