/** Bad input gives one clear sentence and keeps everything that the page shows. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { answered, ask, drop, file, heard, part, told, uploadSlowly, type Visit, visitAnswer } from "./visit";

const SLOW = 4000; // bytes per second

let here: Visit;

beforeEach(async () => {
  here = await visitAnswer();
});

afterEach(async () => {
  await here.close();
});

const give = (name: string) => part(here.page, "file").first().setInputFiles(file(name));
const names = () => here.page.locator(".hit-name").allInnerTexts();
const sent = () => here.requests.filter((one) => one.method() === "POST").length;

async function problem(): Promise<string> {
  await part(here.page, "problem").waitFor();
  return part(here.page, "problem").innerText();
}

test("a PDF, a large file and a folder are rejected before upload; the answer stays", async () => {
  const { page } = here;
  const before = { hits: await names(), sent: sent() };
  await give("manual.pdf");
  await expect.poll(problem).toContain("manual.pdf is not an audio file");
  await drop(page, "large.wav");
  await part(page, "problem")
    .filter({ hasText: "large.wav is 2.9 MiB; the server accepts at most 1.9 MiB" })
    .waitFor();
  await drop(page, "empty");
  await part(page, "problem").filter({ hasText: "That is a folder, not a track" }).waitFor();
  await page.getByRole("button", { name: "Dismiss" }).first().click();
  await part(page, "problem").waitFor({ state: "detached" });
  await expect.poll(names).toEqual(before.hits);
  expect(sent()).toBe(before.sent);
});

test("errors of the service (413, 415, 422) are shown; the answer and its track return", async () => {
  const { page } = here;
  const hits = await names();
  const statuses: number[] = [];
  page.on("response", (one) => one.request().method() === "POST" && statuses.push(one.status()));
  await give("long.mp3");
  await expect.poll(problem).toMatch(/70.* s.*60|shorter/);
  await give("lying.mp3");
  await part(page, "problem").filter({ hasText: "lying.mp3" }).waitFor();
  await give("silent.wav");
  await part(page, "problem").filter({ hasText: /silen/i }).waitFor();
  expect(statuses).toEqual([413, 415, 422]);
  await expect.poll(names).toEqual(hits);
  await expect.poll(() => part(page, "source-name").innerText()).toBe("mixture.mp3");
  await part(page, "play-reference").click();
  await heard(page, "reference");
});

test("a file dropped during a query is held back: keep the first, or use the new one", async () => {
  const { page } = here;
  await uploadSlowly(page, SLOW);
  await give("mixture.mp3");
  await told(page, /Sending mixture.mp3/);
  await drop(page, "other.wav");
  await part(page, "which-track").waitFor();
  await part(page, "keep").click();
  await part(page, "which-track").waitFor({ state: "detached" });
  await expect.poll(() => part(page, "source-name").innerText()).toBe("mixture.mp3");
  await drop(page, "other.wav");
  await uploadSlowly(page, 0);
  await part(page, "replace").click();
  await answered(page);
  await expect.poll(() => part(page, "source-name").innerText()).toBe("other.wav");
});

test("cancel stops an upload; the previous answer can be restored", async () => {
  const { page } = here;
  const hits = await names();
  await uploadSlowly(page, SLOW);
  await give("other.wav");
  await told(page, /Sending other.wav: \d+%/);
  await part(page, "cancel").click();
  await part(page, "progress").waitFor({ state: "detached" });
  await uploadSlowly(page, 0);
  await expect.poll(() => part(page, "source-name").innerText()).toBe("other.wav"); // without an answer
  await page.locator("body").press("Control+z");
  await told(page, /^Undone: new track/);
  await expect.poll(names).toEqual(hits);
  await expect.poll(() => part(page, "source-name").innerText()).toBe("mixture.mp3");
});

test("audio that the browser cannot play still gives lanes, hits and previews", async () => {
  const { page } = here;
  await ask(here, "unplayable.aiff");
  await part(page, "wave-note").filter({ hasText: "Your browser cannot play this format" }).waitFor();
  await expect.poll(() => part(page, "play-reference").isDisabled()).toBe(true);
  await part(page, "play-hit").first().click();
  await heard(page, "preview");
});

test("in the library: an empty folder, a PDF and a large file are rejected before upload", async () => {
  const { page } = here;
  await page.goto(`${here.url}/#/library`);
  await part(page, "instrument-row").first().waitFor();
  const before = sent();
  await drop(page, "empty");
  await expect.poll(problem).toMatch(/“empty” is empty.* Drop a folder of samples/);
  await page.getByRole("button", { name: "Dismiss" }).first().click();
  await drop(page, "manual.pdf");
  await part(page, "problem").filter({ hasText: "manual.pdf" }).waitFor();
  await page.getByRole("button", { name: "Dismiss" }).first().click();
  await drop(page, "large.wav");
  await part(page, "problem")
    .filter({ hasText: /large.wav|“large”/ })
    .waitFor();
  expect(sent()).toBe(before);
  await expect.poll(() => part(page, "instrument-row").count()).toBeGreaterThan(5);
});
