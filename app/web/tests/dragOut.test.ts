import { describe, expect, test } from "vitest";
import { outFile } from "../src/ui/dragOut";

const item = { id: "i_1", name: "Dusty: Kick", source: null, preview_url: "/v1/instruments/i_1/preview" };

describe("an instrument dragged out of the page", () => {
  test("is its sample where it is one recording", () => {
    expect(outFile({ ...item, source: "Drums/Kick 01.WAV" })).toEqual({
      type: "audio/wav",
      name: "Kick 01.WAV",
      path: "/v1/instruments/i_1/source",
    });
  });

  test.each(["Font.sf2#0:35", "Drums", "Grand.sfz", null])("of %s is its preview", (source) => {
    expect(outFile({ ...item, source })).toEqual({
      type: "audio/mpeg",
      name: "Dusty_ Kick.mp3",
      path: item.preview_url,
    });
  });
});
