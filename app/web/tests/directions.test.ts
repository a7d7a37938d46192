/** The words of a direction's slider. */
import { expect, it } from "vitest";
import { directionWords } from "../src/query/lanes";

it("tells where a slider is", () => {
  expect(directionWords(0, "darker", "brighter")).toBe("as it is");
  expect(directionWords(-0.25, "darker", "brighter")).toBe("darker, 25%");
  expect(directionWords(1, "darker", "brighter")).toBe("brighter, 100%");
});
