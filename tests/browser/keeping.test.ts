/** Exports, permanent links, earlier queries and recordings. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { asking, part, told, type Visit, visit, visitAnswer } from "./visit";

let here: Visit;

beforeEach(async () => {
  here = await visitAnswer();
});

afterEach(async () => {
  await here.close();
});

interface ExportedInstrument {
  name: string;
  similarity: number;
}

async function exported(
  format: "json" | "csv" | "zip" | "sources",
): Promise<{ name: string; bytes: Buffer }> {
  const { page } = here;
  await part(page, "export").click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    part(page, `export-${format}`).click(),
  ]);
  const bytes = Buffer.concat(await (await download.createReadStream()).toArray());
  return { name: download.suggestedFilename(), bytes };
}

/** The names in a zip's central directory. */
function entriesOf(zip: Buffer): string[] {
  const found: string[] = [];
  for (let at = zip.indexOf("PK\u0001\u0002"); at >= 0; at = zip.indexOf("PK\u0001\u0002", at + 46))
    found.push(zip.toString("utf8", at + 46, at + 46 + zip.readUInt16LE(at + 28)));
  return found;
}

test("the chosen instruments are exported as JSON, CSV and a zip with previews", async () => {
  const { page } = here;
  const checked = page.locator(".hit input:checked"); // at first, the best hit of every lane
  for (let left = await checked.count(); left > 0; left--) await checked.first().click();
  await expect.poll(() => checked.count()).toBe(0);
  await expect.poll(() => part(page, "export").isDisabled()).toBe(true);
  const hits = part(page, "lane").first().locator(".hit");
  await part(hits.nth(0), "choose").check();
  await part(hits.nth(2), "choose").check();
  const chosen = [
    await hits.nth(0).locator(".hit-name").innerText(),
    await hits.nth(2).locator(".hit-name").innerText(),
  ];

  const json = await exported("json");
  expect(json.name).toMatch(/\.json$/);
  const document = JSON.parse(json.bytes.toString()) as { instruments: ExportedInstrument[] };
  expect(document.instruments.map(({ name }) => name)).toEqual(chosen);

  const csv = await exported("csv");
  const [head = "", ...rows] = csv.bytes.toString().trim().split(/\r?\n/);
  expect(head).toContain("similarity");
  expect(rows).toHaveLength(2);
  for (const [index, name] of chosen.entries()) expect(rows[index]).toContain(name);

  const zip = await exported("zip");
  const entries = entriesOf(zip.bytes);
  expect(entries).toContain("mixture/set.csv");
  expect(entries).toContain("mixture/set.json");
  expect(entries.filter((name) => /^mixture\/previews\/\d\d .*\.mp3$/.test(name))).toHaveLength(2);
  await told(page, /\.zip saved/);

  const whole = entriesOf((await exported("sources")).bytes);
  expect(whole.filter((name) => name.startsWith("mixture/sources/"))).toEqual([
    "mixture/sources/TimGM6mb.sf2",
  ]);
});

test("a match is dragged out as a file, and its source is downloaded", async () => {
  const { page } = here;
  const hit = page.locator(".hit").first();
  const name = await hit.locator(".hit-name").innerText();
  const data = await page.evaluateHandle(() => new DataTransfer());
  await hit.locator(".hit-name").dispatchEvent("dragstart", { dataTransfer: data });
  const file = await data.evaluate((one) => one.getData("DownloadURL"));
  const [type = "", out = "", ...address] = file.split(":");
  expect([type, out]).toEqual(["audio/mpeg", `${name}.mp3`]);
  const preview = await page.request.get(address.join(":"));
  expect(preview.headers()["content-type"]).toBe("audio/mpeg");
  await part(hit, "hit-more").click();
  const [download] = await Promise.all([page.waitForEvent("download"), part(hit, "take-source").click()]);
  expect(download.suggestedFilename()).toBe("TimGM6mb.sf2");
});

test("a permanent link opens the same answer in another browser, with its track", async () => {
  await part(here.page, "copy-link").click();
  await told(here.page, /Link copied/);
  const link = await here.page.evaluate(() => navigator.clipboard.readText());
  expect(link).toMatch(/#\/q\/q_[0-9a-f]+$/);
  const names = await here.page.locator(".hit-name").allInnerTexts();
  const there = await visit(new URL(link).hash);
  await part(there.page, "lane").first().waitFor();
  await expect.poll(() => there.page.locator(".hit-name").allInnerTexts()).toEqual(names);
  await expect.poll(() => part(there.page, "source-name").innerText()).toBe("mixture.mp3");
  await part(there.page, "play-reference").click();
  await there.page.waitForFunction(() => window.media.some((one) => !one.paused && one.currentTime > 0.2));
  const again = await asking(there.page, () => part(there.page, "family-select").selectOption("guitar"));
  expect(again.got.asked_again).toBe(link.split("/").at(-1));
  await there.close();
});

test("the first screen lists earlier queries; a link to a missing query says so", async () => {
  const { page } = here;
  await page.locator(".brand").click();
  const row = part(page, "history-row").filter({ hasText: "mixture.mp3" }).first();
  await row.click();
  await part(page, "lane").first().waitFor();
  await page.goto(`${here.url}/#/q/q_000000000000`);
  await part(page, "problem").waitFor();
  await expect.poll(() => part(page, "problem").innerText()).toMatch(/Drop the track again/);
});

test("a microphone recording is queried like a file", async () => {
  const { page } = here;
  await part(page, "record").first().click();
  const stop = part(page, "record-stop");
  await page.locator('[data-test="record-stop"]:not([disabled])').waitFor();
  await asking(page, () => stop.click());
  await expect.poll(() => part(page, "source-name").innerText()).toMatch(/^Recording .*\.wav$/);
});
