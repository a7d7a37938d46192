/** The checks before upload and their messages. */
import { describe, expect, it } from "vitest";
import { InvalidInput } from "../src/api/problem";
import type { Limits } from "../src/api/types";
import { checkFile, chooseTrack } from "../src/query/checkFiles";

const LIMITS: Limits = {
  max_upload_bytes: 1_000_000,
  max_library_bytes: 1_000_000,
  max_decoded_seconds: 1800,
  max_batch_files: 32,
  max_top_k: 100,
  families: ["bass"],
  audio_formats: [".wav", ".flac", ".mp3"],
  library_formats: [".wav", ".sf2"],
  source_roots: [],
};

const file = (name: string, size = 10, type = "") => ({ name, size, type }) as File;

describe("a file", () => {
  it.each([file("a.wav"), file("B.MP3"), file("take", 10, "audio/webm"), file("x.y.flac")])(
    "$name can be queried",
    (given) => {
      expect(checkFile(given, LIMITS)).toBeNull();
    },
  );

  it.each([
    [file("notes.pdf", 10, "application/pdf"), /notes\.pdf is not an audio file/],
    [file("wav"), /not an audio file/],
    [file("empty.wav", 0), /is empty/],
    [file("long.wav", 2_147_483_648), /2 GiB; the server accepts at most 976\.6 KiB/],
  ])("%o is rejected with a message and advice", (given, words) => {
    const problem = checkFile(given, LIMITS);
    expect(problem).toBeInstanceOf(InvalidInput);
    expect(problem?.title).toMatch(words);
    expect(problem?.advice).toMatch(/\w/);
  });
});

describe("a drop", () => {
  it("gives one track and mentions a second one", () => {
    const offer = chooseTrack([file("notes.pdf"), file("a.wav"), file("b.wav")], 0, LIMITS);
    expect(offer.file?.name).toBe("a.wav");
    expect(offer.problem).toBeNull();
    expect(offer.note).toMatch(/using a\.wav/);
  });

  it("is rejected if it is a folder, empty, or not audio", () => {
    expect(chooseTrack([], 1, LIMITS).problem?.title).toMatch(/folder/);
    expect(chooseTrack([], 0, LIMITS).problem?.title).toMatch(/No file/);
    expect(chooseTrack([file("a.pdf")], 0, LIMITS).problem?.title).toMatch(/a\.pdf/);
  });
});
