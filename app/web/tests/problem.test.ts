/** Every thrown value becomes a sentence with advice. */
import { describe, expect, it } from "vitest";
import { fileNameOf } from "../src/api/download";
import {
  ApiProblem,
  describeProblem,
  InvalidInput,
  isRetryable,
  problemOf,
  ServerAway,
} from "../src/api/problem";
import { isBusy } from "../src/api/transport";

const document = (kind: string, status: number, detail: string) => ({
  type: `urn:showme:problem:${kind}`,
  title: "A title",
  status,
  detail,
});

describe("a problem", () => {
  it("of the service gives its detail as a sentence, with advice", () => {
    const { title, advice } = describeProblem(
      new ApiProblem(document("library-empty", 409, "library 'Mine' has no instruments")),
    );
    expect(title).toBe("Library 'Mine' has no instruments.");
    expect(advice).toMatch(/Library view/);
  });

  it("does not capitalize a file name", () => {
    expect(
      describeProblem(new ApiProblem(document("not-audio", 415, "notes.txt is not audio"))).title,
    ).toMatch(/^notes\.txt/);
  });

  it("of a proxy, without a document, still gives a sentence", () => {
    const problem = problemOf(502, undefined, null);
    expect(problem.status).toBe(502);
    expect(describeProblem(problem).title).toBe("The server responded with status 502.");
  });

  it("of any other kind gives a sentence too", () => {
    for (const thrown of [
      new ServerAway(),
      new TypeError("x"),
      "text",
      null,
      undefined,
      new InvalidInput("No.", "Yes."),
    ]) {
      const { title, advice } = describeProblem(thrown);
      expect(title).toMatch(/[.!?]$/);
      expect(advice.length).toBeGreaterThan(0);
    }
  });

  it("is retried only after a 429, or a 503 with Retry-After", () => {
    expect(isBusy(problemOf(503, document("busy", 503, ""), "2"))).toBe(true);
    expect(isBusy(problemOf(429, document("busy", 429, ""), null))).toBe(true);
    expect(isBusy(problemOf(503, document("index-damaged", 503, ""), null))).toBe(false);
    expect(isBusy(problemOf(500, undefined, "2"))).toBe(false);
  });

  it("offers a retry only where it may help", () => {
    expect(isRetryable(new ServerAway())).toBe(true);
    expect(isRetryable(problemOf(503, undefined, null))).toBe(true);
    expect(isRetryable(problemOf(415, undefined, null))).toBe(false);
    expect(isRetryable(new InvalidInput("No.", "Yes."))).toBe(false);
  });
});

describe("the name of a download", () => {
  it.each([
    [`attachment; filename="set.csv"`, "set.csv"],
    [`attachment; filename="a \\"b\\".zip"`, `a "b".zip`],
    [`attachment; filename="x.zip"; filename*=utf-8''l%C3%A4rm.zip`, "lärm.zip"],
    [`attachment; filename*=UTF-8''%E0%A4%A; filename="x.zip"`, "x.zip"],
    ["attachment", null],
    [null, null],
  ])("%s is %s", (header, name) => {
    expect(fileNameOf(header)).toBe(name);
  });
});
