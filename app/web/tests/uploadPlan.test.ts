/** Upload plans: which files form an instrument, what each request contains, which files are skipped and why. */
import { describe, expect, it } from "vitest";
import type { Limits } from "../src/api/types";
import type { DroppedFiles } from "../src/library/droppedFiles";
import { groupFiles, groupingChoices, looksLikeOneInstrument } from "../src/library/grouping";
import { isAudio, pickEvenly, planUpload } from "../src/library/uploadPlan";

const LIMITS: Limits = {
  max_upload_bytes: 10_000,
  max_library_bytes: 15_000,
  max_decoded_seconds: 1800,
  max_batch_files: 32,
  max_top_k: 100,
  families: [],
  audio_formats: [".wav", ".aif", ".flac", ".mp4"],
  library_formats: [],
  source_roots: [],
};

function dropped(...paths: (string | [path: string, bytes: number])[]): DroppedFiles {
  const files = paths.map((item) => {
    const [path, bytes] = typeof item === "string" ? [item, 10] : item;
    return { path, file: new File([new Uint8Array(bytes)], path.split("/").at(-1) ?? path) };
  });
  return { files, emptyFolders: [], unreadable: [], loneSfz: [] };
}

const found = (...paths: string[]) => dropped(...paths).files;
const names = (...paths: string[]) => [...groupFiles(found(...paths), "folders").keys()];

describe("grouping", () => {
  it("makes an instrument of each folder and of each file beside them", () => {
    expect(names("Lib/Rhodes/a.wav", "Lib/Rhodes/soft/b.wav", "Lib/Kick/x.wav", "Lib/snare.wav")).toEqual([
      "Rhodes",
      "Kick",
      "snare",
    ]);
  });

  it("makes an instrument of each of several dropped folders", () => {
    expect(names("Rhodes/a.wav", "Rhodes/b.wav", "Kick/x.wav")).toEqual(["Rhodes", "Kick"]);
  });

  it("offers the innermost folders, with unique names", () => {
    const drop = found(
      "L/Violin/soft/a.wav",
      "L/Violin/loud/a.wav",
      "L/Cello/soft/a.wav",
      "L/Cello/soft/b.wav",
    );
    expect(groupingChoices(drop)).toEqual([
      { grouping: "folders", instruments: 2 },
      { grouping: "innermost", instruments: 3 },
      { grouping: "files", instruments: 4 },
    ]);
    expect([...groupFiles(drop, "innermost").keys()]).toEqual(["Violin soft", "loud", "Cello soft"]);
  });

  it("detects one sampled instrument by names that differ only in note and number", () => {
    expect(
      looksLikeOneInstrument([
        "Rhodes_C3_v1.wav",
        "Rhodes_F#3_v1.wav",
        "Rhodes_A-1_v2.wav",
        "Rhodes_Bb4_v2.wav",
      ]),
    ).toBe(true);
    expect(looksLikeOneInstrument(["kick.wav", "snare.wav", "hat open.wav", "hat closed.wav"])).toBe(false);
    expect(groupingChoices(found("R/C1.wav", "R/D1.wav", "R/E1.wav", "R/F1.wav"))[0]).toEqual({
      grouping: "one",
      instruments: 1,
    });
    expect(groupingChoices(found("R/kick.wav", "R/snare.wav"))[0]).toEqual({
      grouping: "files",
      instruments: 2,
    });
  });

  it("keeps every file in every grouping", () => {
    const drop = found("a.wav", "a.flac", "L/a.wav", "L/M/a.wav", "L/M/N/a.wav");
    for (const grouping of ["folders", "innermost", "files", "one"] as const)
      expect([...groupFiles(drop, grouping).values()].flat()).toHaveLength(5);
  });
});

describe("plan", () => {
  it("sends SoundFonts and zips unchanged, and a folder's audio as zips by instrument", () => {
    const plan = planUpload(dropped("L/gm.sf2", "L/R/a.wav", "L/R/b.wav", "L/k.wav", "L/readme.pdf"), LIMITS);
    expect(plan.parts.map(({ name }) => name)).toEqual(["gm.sf2", "L.zip"]);
    const [, zip] = plan.parts;
    expect(zip && "entries" in zip && zip.entries.map(({ path }) => path)).toEqual([
      "R/R a.wav",
      "R/R b.wav",
      "k.wav",
    ]);
    expect(plan.instruments).toBeNull();
    expect(plan.skipped).toEqual(["“readme.pdf” was skipped: not audio, a SoundFont, SFZ or zip."]);
  });

  it("keeps every request within the limit, and each instrument in one request", () => {
    const plan = planUpload(
      dropped(...Array.from({ length: 9 }, (_, i) => [`L/I${i}/a.wav`, 2500] as [string, number])),
      LIMITS,
    );
    expect(plan.instruments).toBe(9);
    expect(plan.parts.length).toBeGreaterThan(2);
    for (const { bytes } of plan.parts) expect(bytes).toBeLessThan(LIMITS.max_upload_bytes);
  });

  it("sends an even selection of files if an instrument is too large", () => {
    const plan = planUpload(
      dropped(...Array.from({ length: 40 }, (_, i) => [`R/C${i}.wav`, 1000] as [string, number])),
      LIMITS,
    );
    const [zip] = plan.parts;
    expect(plan.instruments).toBe(1);
    expect(zip && "entries" in zip && zip.entries.length).toBeLessThan(9);
    expect(plan.skipped[0]).toMatch(/“R” is too large: \d of its 40 files will be uploaded\./);
  });

  it("reports files that are too large, with the limit", () => {
    const plan = planUpload(dropped(["big.sf2", 20_000]), LIMITS);
    expect(plan.parts).toEqual([]);
    expect(plan.skipped[0]).toMatch(/“big\.sf2” is 19\.5 KiB, but the server accepts at most 14\.6 KiB/);
  });

  it("keeps an SFZ together with everything around it", () => {
    const plan = planUpload(dropped("P/piano.sfz", "P/samples/a.wav", "P/include.txt"), LIMITS);
    const [zip] = plan.parts;
    expect(zip && "entries" in zip && zip.entries.map(({ path }) => path)).toEqual([
      "P/piano.sfz",
      "P/samples/a.wav",
      "P/include.txt",
    ]);
    expect(plan.instruments).toBe(1);
  });

  it("names empty files, and an SFZ without its samples, and sends neither", () => {
    const some = planUpload(dropped("K/a.wav", ["K/b.wav", 0], ["K/c.wav", 0], ["d.sf2", 0]), LIMITS);
    expect(some.files).toBe(1);
    expect(some.skipped).toEqual(["3 files were skipped: they are empty (“b.wav” and others)."]);
    const lone = planUpload({ ...dropped("p.sfz"), loneSfz: ["p.sfz"] }, LIMITS);
    expect(lone).toMatchObject({ parts: [], skipped: [expect.stringMatching(/“p\.sfz” needs its samples/)] });
    expect(planUpload(dropped(["a.wav", 0]), LIMITS)).toMatchObject({
      parts: [],
      skipped: ["“a.wav” was skipped: it is empty."],
    });
  });

  it("sends nothing of a PDF or an empty folder, and says so", () => {
    expect(planUpload(dropped("manual.pdf"), LIMITS)).toMatchObject({
      parts: [],
      skipped: [/manual\.pdf/] as unknown[],
    });
    const empty = planUpload({ ...dropped(), emptyFolders: ["Nothing"] }, LIMITS);
    expect(empty).toMatchObject({ parts: [], skipped: ["The folder “Nothing” is empty."] });
  });

  it("accepts extensions in upper and lower case", () => {
    expect(["a.wav", "A.AIF", "b.mp4"].every((name) => isAudio(name, LIMITS))).toBe(true);
    expect(["a.pdf", "wav", "b.mid", "c.mp"].some((name) => isAudio(name, LIMITS))).toBe(false);
  });
});

describe("even selection", () => {
  it("contains the first, the last and evenly spaced items between", () => {
    const items = Array.from({ length: 101 }, (_, i) => i);
    expect(pickEvenly(items, 5)).toEqual([0, 25, 50, 75, 100]);
    expect(pickEvenly(items, 1)).toEqual([0]);
    expect(pickEvenly([1, 2], 5)).toEqual([1, 2]);
  });
});
