/** Selecting rows as in file managers, and names that tell neighbours apart. */
import { signal } from "@preact/signals";
import { describe, expect, it } from "vitest";
import type { Instrument } from "../src/api/types";
import { nameParts, sharedPrefix } from "../src/library/names";
import { Selection } from "../src/library/selection";

const ROWS = Array.from({ length: 6 }, (_, i) => ({ id: `i_${i}` }) as Instrument);
const idsOf = (selection: Selection) => selection.items.value.map(({ id }) => id);

describe("selection", () => {
  it("adds and removes single rows, and lists them in the list's order", () => {
    const selection = new Selection(signal(ROWS));
    selection.toggle(4);
    selection.toggle(1);
    expect(idsOf(selection)).toEqual(["i_1", "i_4"]);
    selection.toggle(4);
    expect(idsOf(selection)).toEqual(["i_1"]);
  });

  it("extends from where the last row was chosen, in both directions", () => {
    const selection = new Selection(signal(ROWS));
    selection.begin(3);
    selection.extend(5);
    expect(idsOf(selection)).toEqual(["i_3", "i_4", "i_5"]);
    selection.extend(2);
    expect(idsOf(selection)).toEqual(["i_2", "i_3"]);
  });

  it("forgets rows that leave the list", () => {
    const rows = signal<readonly Instrument[]>(ROWS);
    const selection = new Selection(rows);
    selection.all();
    rows.value = ROWS.slice(0, 2);
    expect(idsOf(selection)).toEqual(["i_0", "i_1"]);
    selection.clear();
    expect(idsOf(selection)).toEqual([]);
  });
});

describe("names", () => {
  it("share a prefix up to a separator, and something of the name remains", () => {
    expect(sharedPrefix("Juno_Bass_01", "Juno_Bass_02", "Warm Pad")).toBe("Juno_Bass_");
    expect(sharedPrefix("Strings CLP", "Strings (Tremelo)")).toBe("Strings ");
    expect(sharedPrefix("Piano", "Pianos", undefined)).toBe("");
    expect(sharedPrefix("A b c", "A b d")).toBe("A b ");
    expect(sharedPrefix("A b", "A c")).toBe("");
    expect(sharedPrefix("Only one")).toBe("");
  });

  it("are whole when short, and keep their end when long", () => {
    expect(nameParts("Soft Flute", "Soft ")).toEqual({ prefix: "Soft ", head: "Flute", tail: "" });
    const long = `Orchestra ${"of strings ".repeat(5)}take 07`;
    const parts = nameParts(long, "Orchestra ");
    expect(parts.tail).toHaveLength(12);
    expect(parts.prefix + parts.head + parts.tail).toBe(long);
    const mostlyShared = nameParts(long, long.slice(0, -2));
    expect(mostlyShared.prefix + mostlyShared.head + mostlyShared.tail).toBe(long);
  });
});
