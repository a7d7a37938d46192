/** Hearing a hit: the part of the track that is most like it, and its keyboard: mouse, letters and MIDI. */
import type { Page } from "playwright-core";
import { afterEach, expect, inject, test } from "vitest";
import type { QueryAnswer } from "../../app/web/src/api/types";
import { heard, part, silent, type Visit, visit, visitAnswer } from "./visit";

declare global {
  interface Window {
    sources: number; // notes that were started
    sendMidi: (...bytes: number[]) => void;
  }
}

let here: Visit;

afterEach(async () => {
  await here.close();
});

const keyboard = (page: Page) => part(page, "keyboard");
const key = (page: Page, pitch: number) => page.locator(`[data-test="key"][data-pitch="${pitch}"]`);
const isDown = (page: Page, pitch: number) => key(page, pitch).getAttribute("data-down");
const started = (page: Page) => page.evaluate(() => window.sources);

/** Count the notes that start, and stand in for a MIDI keyboard, which no test machine has. */
function instrument(): void {
  window.sources = 0;
  const { start } = AudioBufferSourceNode.prototype;
  AudioBufferSourceNode.prototype.start = function (...rest) {
    window.sources += 1;
    return start.apply(this, rest);
  };
  const input = { name: "Stand-in", onmidimessage: null as ((event: { data: Uint8Array }) => void) | null };
  window.sendMidi = (...bytes) => input.onmidimessage?.({ data: new Uint8Array(bytes) });
  const access = { inputs: new Map([["1", input]]), onstatechange: null };
  Object.defineProperty(navigator, "requestMIDIAccess", { value: async () => access });
}

/** Open the keyboard of the first hit of an answer, and wait until its notes are there. */
async function openFirst(page: Page): Promise<string> {
  const hit = part(page, "hit").first();
  await part(hit, "hit-more").click();
  await part(page, "open-keyboard").click();
  await keyboard(page).and(page.locator('[data-loading="false"]')).waitFor();
  return hit.locator(".hit-name").innerText();
}

async function visitWithKeyboard(options: Parameters<typeof visitAnswer>[0] = {}): Promise<string> {
  here = await visitAnswer({ ...options, before: (page) => void page.addInitScript(instrument) });
  return openFirst(here.page);
}

test("a hit's keyboard plays with the mouse, with letters and through MIDI, several notes at a time", async () => {
  const name = await visitWithKeyboard();
  const { page } = here;
  expect(await keyboard(page).getAttribute("aria-label")).toBe(`Keyboard: ${name}`);
  expect(await part(page, "key").count()).toBe(25);
  const middle = Number(await part(page, "key").nth(12).getAttribute("data-pitch"));

  await key(page, middle).hover({ position: { x: 10, y: 120 } });
  await page.mouse.down();
  await expect.poll(() => started(page)).toBe(1);
  expect(await isDown(page, middle)).toBe("true");
  await page.mouse.up();
  await expect.poll(() => isDown(page, middle)).toBe("false");

  await page.keyboard.down("a"); // the first key shown, not the page's comparison
  await page.keyboard.down("d");
  await expect.poll(() => started(page)).toBe(3);
  expect([await isDown(page, middle - 12), await isDown(page, middle - 8)]).toEqual(["true", "true"]);
  await page.keyboard.up("a");
  await expect.poll(() => isDown(page, middle - 12)).toBe("false");
  expect(await isDown(page, middle - 8)).toBe("true");
  await page.keyboard.up("d");

  await part(page, "midi-input").click();
  await expect.poll(() => part(page, "midi-inputs").innerText()).toBe("MIDI: Stand-in");
  await page.evaluate((pitch) => window.sendMidi(0x90, pitch, 100), middle);
  await expect.poll(() => isDown(page, middle)).toBe("true");
  await page.evaluate((pitch) => window.sendMidi(0x90, pitch, 0), middle);
  await expect.poll(() => isDown(page, middle)).toBe("false");
  expect(await started(page)).toBe(4);

  await keyboard(page).focus();
  await page.keyboard.press("Escape");
  await keyboard(page).waitFor({ state: "detached" });
  await page.locator('[data-test="hit-more"]:focus').waitFor();
});

test("keys out of the range are greyed, the others are one tab stop, and a refusal says why", async () => {
  const before = (page: Page) => {
    void page.addInitScript(instrument);
    void page.route("**/v1/instruments/*/keys", async (route) => {
      const answer = await route.fetch();
      const document = (await answer.json()) as { pitches: number[] };
      const pitches = document.pitches.filter((pitch) => pitch >= 55 && pitch <= 65);
      await route.fulfill({ response: answer, json: { ...document, pitches } });
    });
  };
  here = await visitAnswer({ before, viewport: { width: 390, height: 844 } });
  const { page } = here;
  await openFirst(page);
  expect(await part(page, "key").count()).toBe(13); // an octave on a phone
  expect(await key(page, 54).or(key(page, 48)).first().isDisabled()).toBe(true);
  const stops = page.locator('[data-test="key"][tabindex="0"]:not(:disabled)');
  expect(await stops.count()).toBe(1);
  await stops.focus();
  const from = Number(await page.locator(":focus").getAttribute("data-pitch"));
  await page.keyboard.press("ArrowRight");
  await key(page, from + 1)
    .and(page.locator(":focus"))
    .waitFor();
  await page.keyboard.down(" ");
  await expect.poll(() => isDown(page, from + 1)).toBe("true");
  await page.keyboard.up(" ");
  await expect.poll(() => started(page)).toBe(1);
  await here.close();

  here = await visit(new URL(page.url()).hash, {
    before: (other) => {
      const problem = {
        title: "The instrument cannot play this",
        status: 409,
        detail: "Its source is not there any more",
      };
      const json = { type: "urn:showme:problem:cannot-play", ...problem };
      void other.route("**/v1/instruments/*/keys", (route) =>
        route.fulfill({ status: 409, contentType: "application/problem+json", json }),
      );
    },
  });
  await part(here.page, "hit-more").first().click();
  await part(here.page, "open-keyboard").click();
  await expect
    .poll(() => keyboard(here.page).locator('[role="alert"]').innerText())
    .toContain("source is not there any more");
});

test("a hit says which part of the track is most like it, and plays exactly this beside its preview", async () => {
  here = await visitAnswer();
  const { page, url } = here;
  const answer = (await (
    await page.request.get(`${url}/v1/queries/${inject("query")}`)
  ).json()) as QueryAnswer;
  const known = answer.slots[0]?.hits[1];
  const [start, end] = known?.best_span ?? [Number.NaN, Number.NaN];
  expect(end - start).toBeCloseTo(5, 1);
  const hit = part(page, "hit").nth(1);
  expect(await hit.getAttribute("data-id")).toBe(known?.instrument_id);
  await part(hit, "hit-more").click();
  await part(page, "why").click();
  const reason = part(hit, "reason");
  expect(await reason.innerText()).toContain(`${known?.lead?.toFixed(2)} ahead of the next match`);
  await part(reason, "why-track").click();
  expect((await heard(page, "reference")).time).toBeGreaterThanOrEqual(start);
  await part(hit, "play-hit").click();
  await heard(page, "preview");
  await page.keyboard.press("a"); // back to the same part, not to where the lane begins
  const { time } = await heard(page, "reference");
  expect(time).toBeGreaterThanOrEqual(start);
  expect(time).toBeLessThan(end);
  await silent(page); // at the end of the part
  const stopped = await page.evaluate(() => Math.max(...window.media.map((one) => one.currentTime)));
  expect(stopped).toBeGreaterThan(start + 4);
  expect(stopped).toBeLessThan(end + 1);
  await part(hit, "hit-more").click();
  await part(page, "why").click();
  await reason.waitFor({ state: "detached" });
});
