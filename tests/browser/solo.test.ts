/** Solo and mute of a lane in the track's place, and loops of the selection and of a match's preview. */
import type { Page } from "playwright-core";
import { afterEach, expect, test } from "vitest";
import { asking, heard, part, silent, told, type Visit, visitAnswer } from "./visit";

declare global {
  interface Window {
    loops: AudioBufferSourceNode[]; // that were started
  }
}

let here: Visit;

afterEach(async () => {
  await here.close();
});

/** The position in seconds that the page shows. */
const clock = async (page: Page) => Number(/0:(\d+\.\d)/.exec(await part(page, "clock").innerText())?.[1]);
const lane = (page: Page, number: number) => page.locator(`#lane-${number}`);
const isPressed = (page: Page, number: number, how: "solo" | "mute") =>
  part(lane(page, number), how).getAttribute("aria-pressed");
const isolations = () =>
  here.requests.map((one) => one.url()).filter((url) => /\/slots\/\d+\/isolated/.test(url));

/** Record the loops that play from memory. */
function recordLoops(): void {
  window.loops = [];
  const { start } = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (...rest) {
    if (this.loop) window.loops.push(this);
    return start.apply(this, rest);
  };
}

test("solo and mute play in the track's place, at the playhead, and are made once", async () => {
  here = await visitAnswer();
  const { page } = here;
  const solo = part(lane(page, 2), "solo");
  expect(await solo.getAttribute("aria-label")).toContain("a preview made by a mask, not a stem");
  await solo.click();
  expect((await heard(page, "reference")).src).toMatch(/^blob:/);
  expect(await isPressed(page, 2, "solo")).toBe("true");
  const before = await clock(page);
  await lane(page, 2).focus();
  await page.keyboard.press("m");
  await expect.poll(() => isPressed(page, 2, "mute")).toBe("true");
  expect(await isPressed(page, 2, "solo")).toBe("false");
  await heard(page, "reference");
  expect(await clock(page)).toBeGreaterThanOrEqual(before);
  await page.keyboard.press("m");
  await expect.poll(async () => (await heard(page, "reference")).src).toMatch(/\/audio$/);
  expect(await clock(page)).toBeGreaterThanOrEqual(before);
  await page.keyboard.press("s");
  await expect.poll(() => isPressed(page, 2, "solo")).toBe("true");
  const asked = isolations();
  expect(asked.map((url) => url.replace(/.*slots/, "slots"))).toEqual([
    "slots/1/isolated",
    "slots/1/isolated?mute=true",
  ]);
  await part(lane(page, 2), "play-hit").first().click(); // the match, and A back to what the lane isolates
  await heard(page, "preview");
  await page.keyboard.press("a");
  expect((await heard(page, "reference")).src).toMatch(/^blob:/);
  await page.keyboard.press(" ");
  await silent(page);
});

test("solo and mute are one tab stop, and what cannot be isolated says why", async () => {
  const json = {
    type: "urn:showme:problem:audio-gone",
    title: "The audio of the query is no longer kept",
    status: 409,
    detail: "the audio of query q_1 is no longer stored",
  };
  here = await visitAnswer({
    before: (page) =>
      void page.route("**/v1/queries/*/slots/*/isolated*", (route) =>
        route.fulfill({ status: 409, contentType: "application/problem+json", json }),
      ),
  });
  const { page } = here;
  const [solo, mute] = [part(lane(page, 1), "solo"), part(lane(page, 1), "mute")];
  expect([await solo.getAttribute("tabindex"), await mute.getAttribute("tabindex")]).toEqual(["0", "-1"]);
  const before = await clock(page);
  await solo.focus();
  await page.keyboard.press("ArrowRight");
  await mute.and(page.locator(":focus")).waitFor();
  expect([await solo.getAttribute("tabindex"), await mute.getAttribute("tabindex")]).toEqual(["-1", "0"]);
  expect(await clock(page)).toBe(before);
  await page.keyboard.press("Enter");
  await told(page, /no longer/);
  expect(await isPressed(page, 1, "mute")).toBe("false");
  await page.keyboard.press(" ");
  await told(page, /no longer/);
  await part(page, "play-reference").click();
  expect((await heard(page, "reference")).src).toMatch(/\/audio$/);
});

test("a selection is repeated from memory and a match's preview by its element, for the session", async () => {
  here = await visitAnswer({ before: (page) => void page.addInitScript(recordLoops) });
  const { page } = here;
  await asking(page, async () => {
    await part(page, "to").fill("0:02");
    await page.keyboard.press("Enter");
  });
  await page.locator("#main").focus();
  await page.keyboard.press("r");
  await expect.poll(() => part(page, "loop").getAttribute("aria-pressed")).toBe("true");
  await page.keyboard.press(" ");
  await heard(page, "reference");
  await page.waitForFunction(() => window.loops.length === 1); // after the first time
  const [length] = await page.evaluate(() => window.loops.map((one) => one.buffer?.duration ?? 0));
  expect(length).toBeCloseTo(2, 1);
  await expect.poll(() => clock(page)).toBeGreaterThan(1.2);
  await expect.poll(() => clock(page)).toBeLessThan(0.8);
  await page.keyboard.press("ArrowRight"); // to its end and on
  await page.waitForFunction(() => window.loops.length === 2);
  await page.keyboard.press("r"); // to the end, and stop
  await silent(page);
  await page.keyboard.press("r");
  await part(page, "play-hit").first().click();
  await heard(page, "preview");
  expect(await page.evaluate(() => window.media.filter((one) => !one.paused).map((one) => one.loop))).toEqual(
    [true],
  );
  await page.reload();
  await part(page, "loop").and(page.locator('[aria-pressed="true"]')).waitFor();
});
