/** What is made of a drop: which files are one instrument, what is sent in which request, what stays out and why. */
import { describe, expect, it } from "vitest";
import type { Limits } from "../src/api/types";
import type { Dropped } from "../src/library/folder";
import { choices, grouped, looksLikeOne } from "../src/library/grouping";
import { isAudio, planOf, spread } from "../src/library/plan";

const LIMITS: Limits = {
  max_upload_bytes: 10_000,
  max_decoded_seconds: 1800,
  max_batch_files: 32,
  max_top_k: 100,
  families: [],
  audio_formats: [".wav", ".aif", ".flac", ".mp4"],
  library_formats: [],
};

function dropped(...paths: (string | [path: string, bytes: number])[]): Dropped {
  const files = paths.map((item) => {
    const [path, bytes] = typeof item === "string" ? [item, 10] : item;
    return { path, file: new File([new Uint8Array(bytes)], path.split("/").at(-1) ?? path) };
  });
  return { files, emptyFolders: [], unreadable: [] };
}

const found = (...paths: string[]) => dropped(...paths).files;
const names = (...paths: string[]) => [...grouped(found(...paths), "folders").keys()];

describe("grouping", () => {
  it("makes each folder an instrument and each file beside them one", () => {
    expect(names("Lib/Rhodes/a.wav", "Lib/Rhodes/soft/b.wav", "Lib/Kick/x.wav", "Lib/snare.wav")).toEqual([
      "Rhodes",
      "Kick",
      "snare",
    ]);
  });

  it("takes several dropped folders as one each", () => {
    expect(names("Rhodes/a.wav", "Rhodes/b.wav", "Kick/x.wav")).toEqual(["Rhodes", "Kick"]);
  });

  it("offers the innermost folders, by names that differ", () => {
    const drop = found(
      "L/Violin/soft/a.wav",
      "L/Violin/loud/a.wav",
      "L/Cello/soft/a.wav",
      "L/Cello/soft/b.wav",
    );
    expect(choices(drop)).toEqual([
      { grouping: "folders", instruments: 2 },
      { grouping: "innermost", instruments: 3 },
      { grouping: "files", instruments: 4 },
    ]);
    expect([...grouped(drop, "innermost").keys()]).toEqual(["Violin soft", "loud", "Cello soft"]);
  });

  it("sees one sampled instrument in names that differ by note and number only", () => {
    expect(
      looksLikeOne(["Rhodes_C3_v1.wav", "Rhodes_F#3_v1.wav", "Rhodes_A-1_v2.wav", "Rhodes_Bb4_v2.wav"]),
    ).toBe(true);
    expect(looksLikeOne(["kick.wav", "snare.wav", "hat open.wav", "hat closed.wav"])).toBe(false);
    expect(choices(found("R/C1.wav", "R/D1.wav", "R/E1.wav", "R/F1.wav"))[0]).toEqual({
      grouping: "one",
      instruments: 1,
    });
    expect(choices(found("R/kick.wav", "R/snare.wav"))[0]).toEqual({ grouping: "files", instruments: 2 });
  });

  it("loses no file, whatever the choice", () => {
    const drop = found("a.wav", "a.flac", "L/a.wav", "L/M/a.wav", "L/M/N/a.wav");
    for (const grouping of ["folders", "innermost", "files", "one"] as const)
      expect([...grouped(drop, grouping).values()].flat()).toHaveLength(5);
  });
});

describe("plan", () => {
  it("sends SoundFonts and zips as they are, audio of a folder as zips by instrument", () => {
    const plan = planOf(dropped("L/gm.sf2", "L/R/a.wav", "L/R/b.wav", "L/k.wav", "L/readme.pdf"), LIMITS);
    expect(plan.parcels.map(({ name }) => name)).toEqual(["gm.sf2", "L.zip"]);
    const [, zip] = plan.parcels;
    expect(zip && "entries" in zip && zip.entries.map(({ path }) => path)).toEqual([
      "R/R a.wav",
      "R/R b.wav",
      "k.wav",
    ]);
    expect(plan.instruments).toBeNull();
    expect(plan.leftOut).toEqual(["“readme.pdf” is no audio, SoundFont, SFZ or zip, so it stays out."]);
  });

  it("keeps every request within the limit and no instrument in two", () => {
    const plan = planOf(
      dropped(...Array.from({ length: 9 }, (_, i) => [`L/I${i}/a.wav`, 2500] as [string, number])),
      LIMITS,
    );
    expect(plan.instruments).toBe(9);
    expect(plan.parcels.length).toBeGreaterThan(2);
    for (const { bytes } of plan.parcels) expect(bytes).toBeLessThan(LIMITS.max_upload_bytes);
  });

  it("sends evenly chosen files of an instrument that is too large", () => {
    const plan = planOf(
      dropped(...Array.from({ length: 40 }, (_, i) => [`R/C${i}.wav`, 1000] as [string, number])),
      LIMITS,
    );
    const [zip] = plan.parcels;
    expect(plan.instruments).toBe(1);
    expect(zip && "entries" in zip && zip.entries.length).toBeLessThan(9);
    expect(plan.leftOut[0]).toMatch(/“R” is large: \d of its 40 files are sent\./);
  });

  it("says what is too large, with the limit", () => {
    const plan = planOf(dropped(["big.sf2", 20_000]), LIMITS);
    expect(plan.parcels).toEqual([]);
    expect(plan.leftOut[0]).toMatch(/“big\.sf2” is 20 kB and the server takes 10 kB at a time/);
  });

  it("keeps an SFZ together with everything around it", () => {
    const plan = planOf(dropped("P/piano.sfz", "P/samples/a.wav", "P/include.txt"), LIMITS);
    const [zip] = plan.parcels;
    expect(zip && "entries" in zip && zip.entries.map(({ path }) => path)).toEqual([
      "P/piano.sfz",
      "P/samples/a.wav",
      "P/include.txt",
    ]);
    expect(plan.instruments).toBe(1);
  });

  it("has nothing to send of a PDF or of an empty folder, and says so", () => {
    expect(planOf(dropped("manual.pdf"), LIMITS)).toMatchObject({
      parcels: [],
      leftOut: [/manual\.pdf/] as unknown[],
    });
    const empty = planOf({ files: [], emptyFolders: ["Nothing"], unreadable: [] }, LIMITS);
    expect(empty).toMatchObject({ parcels: [], leftOut: ["The folder “Nothing” is empty."] });
  });

  it("takes suffixes in either case, and no other", () => {
    expect(["a.wav", "A.AIF", "b.mp4"].every((name) => isAudio(name, LIMITS))).toBe(true);
    expect(["a.pdf", "wav", "b.mid", "c.mp"].some((name) => isAudio(name, LIMITS))).toBe(false);
  });
});

describe("spread", () => {
  it("takes the first, the last and what lies evenly between", () => {
    const items = Array.from({ length: 101 }, (_, i) => i);
    expect(spread(items, 5)).toEqual([0, 25, 50, 75, 100]);
    expect(spread(items, 1)).toEqual([0]);
    expect(spread([1, 2], 5)).toEqual([1, 2]);
  });
});
