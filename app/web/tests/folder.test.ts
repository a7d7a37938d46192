/** Walking what was dropped, over entries that behave as the browsers' do: at most 100 names at a time. */
import { describe, expect, it } from "vitest";
import { type Entry, pickedFiles, walk } from "../src/library/folder";

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

describe("walk", () => {
  it("finds every file of every folder, sorted, without the hidden ones", async () => {
    const drop = folder("Lib", [
      folder("Rhodes", [file("b.wav"), file(".DS_Store"), file("a.wav")]),
      folder("__MACOSX", [file("a.wav")]),
      file("kick.wav"),
    ]);
    const { files, emptyFolders, unreadable } = await walk([drop]);
    expect(paths(files)).toEqual(["Lib/Rhodes/a.wav", "Lib/Rhodes/b.wav", "Lib/kick.wav"]);
    expect([emptyFolders, unreadable]).toEqual([[], []]);
  });

  it("asks on until a reader has nothing left", async () => {
    const counts: number[] = [];
    const many = Array.from({ length: 257 }, (_, i) => file(`${String(i).padStart(3, "0")}.wav`));
    const { files } = await walk([folder("Many", many)], (count) => counts.push(count));
    expect(files).toHaveLength(257);
    expect(counts.at(-1)).toBe(257);
  });

  it("names empty folders and files that cannot be read, and goes on", async () => {
    const { files, emptyFolders, unreadable } = await walk([
      folder("Empty", [folder("Inner", [])]),
      folder("Broken", [file("gone.wav", true), file("there.wav")]),
    ]);
    expect(emptyFolders).toEqual(["Empty"]);
    expect(unreadable).toEqual(["Broken/gone.wav"]);
    expect(paths(files)).toEqual(["Broken/there.wav"]);
  });
});

describe("picked files", () => {
  it("have their folder's paths where the picker gives them", () => {
    const inFolder = new File(["x"], "a.wav");
    Object.defineProperty(inFolder, "webkitRelativePath", { value: "Lib/Rhodes/a.wav" });
    const { files } = pickedFiles([inFolder, new File(["x"], "b.sf2"), new File(["x"], ".hidden")]);
    expect(paths(files)).toEqual(["Lib/Rhodes/a.wav", "b.sf2"]);
  });
});
