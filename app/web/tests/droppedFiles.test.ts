/** Reading dropped folders; the fake readers return at most 100 entries at a time, like browsers. */
import { describe, expect, it } from "vitest";
import { type Entry, pickedFiles, readEntries, samplesOf } from "../src/library/droppedFiles";

const AT_A_TIME = 100;

function file(name: string, broken = false): Entry {
  return {
    name,
    isDirectory: false,
    file: (found, failed) => (broken ? failed(new Error("gone")) : found(new File(["x"], name))),
  };
}

function folder(name: string, inside: Entry[]): Entry {
  return {
    name,
    isDirectory: true,
    createReader: () => {
      let at = 0;
      return {
        readEntries: (found) => {
          found(inside.slice(at, at + AT_A_TIME));
          at += AT_A_TIME;
        },
      };
    },
  };
}

const paths = (files: { path: string }[]) => files.map(({ path }) => path);

describe("dropped files", () => {
  it("finds every file of every folder, sorted, without the hidden ones", async () => {
    const drop = folder("Lib", [
      folder("Rhodes", [file("b.wav"), file(".DS_Store"), file("a.wav")]),
      folder("__MACOSX", [file("a.wav")]),
      file("kick.wav"),
    ]);
    const { files, emptyFolders, unreadable } = await readEntries([drop]);
    expect(paths(files)).toEqual(["Lib/Rhodes/a.wav", "Lib/Rhodes/b.wav", "Lib/kick.wav"]);
    expect([emptyFolders, unreadable]).toEqual([[], []]);
  });

  it("reads until a reader is exhausted", async () => {
    const counts: number[] = [];
    const many = Array.from({ length: 257 }, (_, i) => file(`${String(i).padStart(3, "0")}.wav`));
    const { files } = await readEntries([folder("Many", many)], (count) => counts.push(count));
    expect(files).toHaveLength(257);
    expect(counts.at(-1)).toBe(257);
  });

  it("reports empty folders and unreadable files, and continues", async () => {
    const { files, emptyFolders, unreadable } = await readEntries([
      folder("Empty", [folder("Inner", [])]),
      folder("Broken", [file("gone.wav", true), file("there.wav")]),
    ]);
    expect(emptyFolders).toEqual(["Empty"]);
    expect(unreadable).toEqual(["Broken/gone.wav"]);
    expect(paths(files)).toEqual(["Broken/there.wav"]);
  });
});

describe("picked files", () => {
  it("have their folder paths if the picker provides them", async () => {
    const inFolder = new File(["x"], "a.wav");
    Object.defineProperty(inFolder, "webkitRelativePath", { value: "Lib/Rhodes/a.wav" });
    const { files } = await pickedFiles([inFolder, new File(["x"], "b.sf2"), new File(["x"], ".hidden")]);
    expect(paths(files)).toEqual(["Lib/Rhodes/a.wav", "b.sf2"]);
  });
});

describe("an .sfz", () => {
  const SFZ = `// sample=comment.wav
<global> ampeg_release=1
<region> key=60 sample=samples\\Piano C4 soft.wav lokey=59
sample=../A4.flac // loud
<region>sample=*sine key=61`;

  it("names its samples, generated waves aside", () => {
    expect(samplesOf(SFZ)).toEqual(["Piano C4 soft.wav", "A4.flac"]);
    expect(samplesOf("<region> sample=*saw")).toEqual([]);
  });

  it.each([
    [["p.sfz"], ["p.sfz"]],
    [["p.sfz", "other.wav"], ["p.sfz"]],
    [["p.sfz", "a4.FLAC"], []],
  ])("of %s: %s lack their samples", async (names, lone) => {
    const files = names.map((name) => new File([name.endsWith("sfz") ? SFZ : "x"], name));
    expect((await pickedFiles(files)).loneSfz).toEqual(lone);
  });

  it("of generated waves only lacks nothing", async () => {
    expect((await pickedFiles([new File(["<region> sample=*saw"], "saw.sfz")])).loneSfz).toEqual([]);
  });
});
