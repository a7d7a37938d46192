/** What is refused before it is sent, and in which words. */
import { describe, expect, it } from "vitest";
import { Refused } from "../src/api/problem";
import type { Limits } from "../src/api/types";
import { bytesInWords, offerOf, refusalOf } from "../src/query/accept";

const LIMITS: Limits = {
  max_upload_bytes: 1_000_000,
  max_decoded_seconds: 1800,
  max_batch_files: 32,
  max_top_k: 100,
  families: ["bass"],
  audio_formats: [".wav", ".flac", ".mp3"],
  library_formats: [".wav", ".sf2"],
};

const file = (name: string, size = 10, type = "") => ({ name, size, type }) as File;

describe("a file", () => {
  it.each([file("a.wav"), file("B.MP3"), file("take", 10, "audio/webm"), file("x.y.flac")])(
    "$name may be asked about",
    (given) => {
      expect(refusalOf(given, LIMITS)).toBeNull();
    },
  );

  it.each([
    [file("notes.pdf", 10, "application/pdf"), /notes\.pdf is not an audio file/],
    [file("wav"), /not an audio file/],
    [file("empty.wav", 0), /is empty/],
    [file("long.wav", 2_147_483_648), /2\.1 GB; the server takes at most 1\.0 MB/],
  ])("%o is refused in a sentence with advice", (given, words) => {
    const refusal = refusalOf(given, LIMITS);
    expect(refusal).toBeInstanceOf(Refused);
    expect(refusal?.title).toMatch(words);
    expect(refusal?.advice).toMatch(/\w/);
  });
});

describe("what was dropped", () => {
  it("is one track; a second one is told of", () => {
    const offer = offerOf([file("notes.pdf"), file("a.wav"), file("b.wav")], 0, LIMITS);
    expect(offer.file?.name).toBe("a.wav");
    expect(offer.refusal).toBeNull();
    expect(offer.note).toMatch(/a\.wav is taken/);
  });

  it("is refused when it is a folder, nothing, or no audio", () => {
    expect(offerOf([], 1, LIMITS).refusal?.title).toMatch(/folder/);
    expect(offerOf([], 0, LIMITS).refusal?.title).toMatch(/no file/);
    expect(offerOf([file("a.pdf")], 0, LIMITS).refusal?.title).toMatch(/a\.pdf/);
  });
});

describe("sizes", () => {
  it.each([
    [999, "999 bytes"],
    [1500, "1.5 kB"],
    [104_857_600, "105 MB"],
    [2_147_483_648, "2.1 GB"],
  ])("%s are %s", (bytes, words) => {
    expect(bytesInWords(bytes)).toBe(words);
  });
});
