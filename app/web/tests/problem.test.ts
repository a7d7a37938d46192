/** Problems in words: a sentence and what to do, whatever was thrown. */
import { describe, expect, it } from "vitest";
import { fileNameOf } from "../src/api/download";
import {
  ApiProblem,
  isWorthAnotherTry,
  problemOf,
  Refused,
  ServerAway,
  sentenceOf,
} from "../src/api/problem";
import { isBusy } from "../src/api/transport";

const document = (kind: string, status: number, detail: string) => ({
  type: `urn:showme:problem:${kind}`,
  title: "A title",
  status,
  detail,
});

describe("a problem", () => {
  it("of the service says its detail as a sentence, with advice", () => {
    const { title, advice } = sentenceOf(
      new ApiProblem(document("library-empty", 409, "library 'Mine' has no instruments")),
    );
    expect(title).toBe("Library 'Mine' has no instruments.");
    expect(advice).toMatch(/Library view/);
  });

  it("does not give a file's name a capital", () => {
    expect(sentenceOf(new ApiProblem(document("not-audio", 415, "notes.txt is not audio"))).title).toMatch(
      /^notes\.txt/,
    );
  });

  it("of a proxy, without a document, still says something", () => {
    const problem = problemOf(502, undefined, null);
    expect(problem.status).toBe(502);
    expect(sentenceOf(problem).title).toBe("The server answered 502.");
  });

  it("of any other kind is a sentence too", () => {
    for (const thrown of [
      new ServerAway(),
      new TypeError("x"),
      "text",
      null,
      undefined,
      new Refused("No.", "Yes."),
    ]) {
      const { title, advice } = sentenceOf(thrown);
      expect(title).toMatch(/[.!?]$/);
      expect(advice.length).toBeGreaterThan(0);
    }
  });

  it("is asked again only when the service says when, or that it has too much to do", () => {
    expect(isBusy(problemOf(503, document("busy", 503, ""), "2"))).toBe(true);
    expect(isBusy(problemOf(429, document("busy", 429, ""), null))).toBe(true);
    expect(isBusy(problemOf(503, document("index-damaged", 503, ""), null))).toBe(false);
    expect(isBusy(problemOf(500, undefined, "2"))).toBe(false);
  });

  it("offers another try only where it may help", () => {
    expect(isWorthAnotherTry(new ServerAway())).toBe(true);
    expect(isWorthAnotherTry(problemOf(503, undefined, null))).toBe(true);
    expect(isWorthAnotherTry(problemOf(415, undefined, null))).toBe(false);
    expect(isWorthAnotherTry(new Refused("No.", "Yes."))).toBe(false);
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
