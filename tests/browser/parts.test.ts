/** The part of a lane: saved as a MIDI file, and played by a match; offered only where its notes are sure enough. */
import { afterEach, beforeEach, expect, inject, test } from "vitest";
import type { Parts } from "../../app/web/src/api/types";
import { heard, part, silent, told, type Visit, visit, visitAnswer } from "./visit";

let here: Visit;

beforeEach(async () => {
  here = await visitAnswer();
});

afterEach(async () => {
  await here.close();
});

const lanes = () => part(here.page, "lane");

/** The parts of the stored answer, and which of its lanes have one that is offered. */
async function partsOf(): Promise<{ parts: Parts["parts"]; sure: number[] }> {
  const answer = await here.page.request.get(`${here.url}/v1/queries/${inject("query")}/parts`);
  const { parts } = (await answer.json()) as Parts;
  return { parts, sure: parts.flatMap(({ confident }, lane) => (confident ? [lane] : [])) };
}

test("the lanes whose notes are sure enough have a MIDI file to save, the others do not", async () => {
  const { page } = here;
  const { parts, sure } = await partsOf();
  expect(sure.length).toBeGreaterThan(0);
  await expect.poll(() => part(page, "midi").count()).toBe(sure.length);
  for (const lane of parts.keys())
    expect(await part(lanes().nth(lane), "midi").count()).toBe(sure.includes(lane) ? 1 : 0);
  const [saved] = await Promise.all([page.waitForEvent("download"), part(page, "midi").first().click()]);
  expect(saved.suggestedFilename()).toMatch(/^mixture - \d \w+\.mid$/);
  const bytes = Buffer.concat(await (await saved.createReadStream()).toArray());
  expect(bytes.subarray(0, 4).toString()).toBe("MThd");
  await told(page, /\.mid saved\./);
});

test("a match plays the part beside the comparison, and one key switches to the track", async () => {
  const { page } = here;
  const { sure } = await partsOf();
  const lane = lanes().nth(sure[0] ?? 0);
  await part(lane, "play-hit").first().click();
  await heard(page, "preview");
  const button = part(page, "play-part");
  const match = await lane.locator(".hit-name").first().innerText();
  await expect.poll(() => button.getAttribute("aria-label")).toContain(match);
  await button.click();
  await button.and(page.locator('[aria-pressed="true"]')).waitFor();
  const playing = await page.waitForFunction(() =>
    window.media.some((one) => !one.paused && one.src.startsWith("blob:") && one.currentTime > 0.05),
  );
  expect(await playing.jsonValue()).toBe(true);
  const rendered = here.requests.filter((one) => /\/slots\/\d+\/render\?instrument=i_/.test(one.url()));
  expect(rendered).toHaveLength(1);
  expect((await rendered[0]?.response())?.headers()["content-type"]).toBe("audio/mpeg");
  await page.keyboard.press("a");
  await expect.poll(() => part(page, "ab").getAttribute("data-side")).toBe("reference");
  await heard(page, "reference");
  await button.click();
  await button.and(page.locator('[aria-pressed="true"]')).waitFor();
  await button.click();
  await silent(page);
  expect(here.requests.filter((one) => one.url().includes("/render"))).toHaveLength(1); // kept in the page
});

test("parts that are not sure are not offered, and an instrument that cannot play one says why", async () => {
  const { page, url } = here;
  await here.close();
  const refused = await visit(`#/q/${inject("query")}`, {
    before: (page) => {
      void page.route("**/v1/queries/*/slots/*/render*", (route) =>
        route.fulfill({
          status: 409,
          contentType: "application/problem+json",
          json: {
            type: "urn:showme:problem:cannot-play",
            title: "The instrument cannot play the part",
            status: 409,
            detail: "its source is not there any more",
          },
        }),
      );
    },
  });
  await part(refused.page, "play-part").click();
  await told(refused.page, /ts source is not there any more/);
  await expect.poll(() => part(refused.page, "play-part").isEnabled()).toBe(true);
  await refused.close();
  expect(page.isClosed()).toBe(true);
  let answered: Promise<unknown> = Promise.resolve();
  here = await visit(`#/q/${inject("query")}`, {
    url,
    before: (page) => {
      answered = page.waitForResponse((one) => one.url().endsWith("/parts"));
      void page.route("**/v1/queries/*/parts", async (route) => {
        const answer = await route.fetch();
        const document = (await answer.json()) as Parts;
        await route.fulfill({
          response: answer,
          json: { ...document, parts: document.parts.map((one) => ({ ...one, confident: false })) },
        });
      });
    },
  });
  await answered;
  await lanes().first().waitFor();
  expect(await part(here.page, "midi").count()).toBe(0);
  expect(await part(here.page, "play-part").count()).toBe(0);
});
