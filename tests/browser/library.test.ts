/** The library view: enrol by drop and by picking, with progress to the end; browse, correct, delete, undo, compare. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { drop, file, heard, PATIENCE, part, type Visit, visit } from "./visit";

let here: Visit;

beforeEach(async () => {
  here = await visit("#/library");
  await part(here.page, "instrument-row").first().waitFor();
});

afterEach(async () => {
  await here.close();
});

const rows = () => part(here.page, "instrument-row");
const row = (name: string) => rows().filter({ has: here.page.locator(`[title="${name}"]`) });
const toast = (text: string | RegExp) => part(here.page, "toast").filter({ hasText: text });
const openName = () => part(here.page, "library-name").innerText();

/** Add what was dropped, and see its job through to the end: the words and shares that were shown on the way. */
async function enrolled(): Promise<void> {
  const { page } = here;
  await part(page, "add").click();
  const job = part(page, "job").last();
  await job.and(page.locator('[data-state="running"], [data-state="done"]')).waitFor();
  await job.and(page.locator('[data-state="done"]')).waitFor({ timeout: 2 * PATIENCE });
}

/** Remove the library that is open, as a person would. */
async function tidied(): Promise<void> {
  await part(here.page, "delete-library").click();
  await toast("was deleted").waitFor();
}

test("a SoundFont is enrolled with progress to its end, and is asked at once", async () => {
  const { page } = here;
  await page.evaluate(() => {
    const shares = new Set<string>();
    Object.assign(window, { shares });
    new MutationObserver(() => {
      for (const bar of document.querySelectorAll('[data-test="job"] progress'))
        shares.add(String((bar as HTMLProgressElement).value));
    }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  });
  await part(page, "files-input").setInputFiles(file("Small.sf2"));
  await part(page, "review").waitFor();
  expect(await part(page, "review").innerText()).toContain("Small.sf2");
  await enrolled();
  expect(await openName()).toContain("Small");
  const shares = await page.evaluate(() =>
    [...(window as unknown as { shares: Set<string> }).shares].map(Number),
  );
  expect(shares.some((share) => share > 0.5 && share < 1)).toBe(true); // the job itself was seen at work
  await row("Hollow Clarinet").waitFor();
  expect(await part(page, "job").innerText()).toMatch(/7 added/);
  await part(row("Hollow Clarinet"), "play").click();
  await heard(page, "preview");
  await part(page, "tab-query").click();
  await part(page, "library-select")
    .locator("option:checked", { hasText: "Small (7)" })
    .waitFor({ state: "attached" });
  await part(page, "tab-library").click();
  await tidied();
});

test("a dropped folder is looked through first: instruments by folder, other files stay out", async () => {
  const { page } = here;
  await drop(page, "Kit");
  await part(page, "review").waitFor();
  const review = await part(page, "review").innerText();
  expect(review).toContain("8 files");
  expect(review).toContain("readme.txt");
  expect(await part(page, "add").innerText()).toContain("4 instruments");
  await enrolled();
  expect(await openName()).toContain("Kit");
  await row("Low Bass").waitFor();
  expect(await rows().count()).toBe(4);
  await tidied();
});

test("a dropped zip makes a library too, in one that was made by hand before", async () => {
  const { page } = here;
  await part(page, "new-library").click();
  await part(page, "new-library-name").fill("By hand");
  await part(page, "new-library-name").press("Enter");
  await part(page, "empty").waitFor();
  await drop(page, "Zipped.zip");
  await part(page, "review").waitFor();
  await enrolled();
  expect(await openName()).toContain("By hand");
  await row("Soft Flute").waitFor();

  const named = row("Soft Flute");
  await part(named, "name").dblclick();
  await part(page, "name-edit").fill("Flute of mine");
  await part(page, "name-edit").press("Enter");
  await row("Flute of mine").waitFor();
  await part(row("Low Bass"), "family").selectOption("organ");
  await toast("is now organ").waitFor();
  await part(row("Grand Piano"), "delete").click();
  await row("Grand Piano").waitFor({ state: "detached" });
  await page.reload();
  await row("Flute of mine").waitFor();
  expect(await part(row("Low Bass"), "family").inputValue()).toBe("organ");
  expect(await rows().count()).toBe(3);

  await part(page, "search").fill("mine");
  await expect.poll(() => rows().count(), { timeout: PATIENCE }).toBe(1);
  await part(page, "search").fill("");
  await part(part(page, "library"), "family-select").selectOption("organ");
  await expect
    .poll(() => rows().locator(".instrument-name").allInnerTexts(), { timeout: PATIENCE })
    .toEqual(["Low Bass"]);
  await part(part(page, "library"), "family-select").selectOption("");

  await part(page, "rename-library").click();
  await part(page, "library-name-edit").fill("Renamed");
  await part(page, "library-name-edit").press("Enter");
  await part(page, "library-row").filter({ hasText: "Renamed" }).waitFor();
  await tidied();
  await expect
    .poll(() => part(page, "library-row").allInnerTexts(), { timeout: PATIENCE })
    .not.toContain("Renamed");
  await page.keyboard.press("Control+z");
  await row("Flute of mine").waitFor();
  expect(await openName()).toBe("Renamed");
  await tidied();
});

test("deleting an instrument is undone by the toast, and a correction by the keyboard", async () => {
  const { page } = here;
  await part(page, "library-row").filter({ hasText: "TimGM6mb" }).click();
  await row("Harpsichord").waitFor();
  const before = await rows().first().innerText();
  await part(rows().first(), "delete").click();
  await toast("deleted").waitFor();
  expect(await rows().first().innerText()).not.toBe(before);
  await part(toast("deleted"), "undo").click();
  await toast("Undone").waitFor();
  await expect.poll(() => rows().first().innerText(), { timeout: PATIENCE }).toBe(before);
  const family = part(row("Harpsichord"), "family");
  const was = await family.inputValue();
  await family.selectOption("bass");
  await toast("is now bass").waitFor();
  await part(rows().first(), "play").focus();
  await page.keyboard.press("Control+z");
  await expect.poll(() => family.inputValue(), { timeout: PATIENCE }).toBe(was);
});

test("duplicates are pointed out, heard beside each other, and removed", async () => {
  const { page } = here;
  await drop(page, "Kit", "Zipped.zip"); // the same tones twice
  await part(page, "review").waitFor();
  await enrolled();
  await part(page, "duplicates-open").click();
  await part(page, "strictness").selectOption("0.995");
  const groups = part(page, "duplicate-group");
  await groups.first().waitFor();
  const twins = part(groups.first(), "duplicate");
  const before = await twins.count();
  expect(before).toBeGreaterThanOrEqual(2);
  await part(twins.first(), "play").click();
  await heard(page, "preview");
  await part(twins.last(), "delete").click();
  await expect.poll(() => twins.count(), { timeout: PATIENCE }).toBe(before - 1);
  await toast("deleted").waitFor();
  await part(toast("deleted"), "undo").click();
  await expect.poll(() => twins.count(), { timeout: PATIENCE }).toBe(before);
  await tidied();
});

test("an enrollment is cancelled, leaves nothing behind, and can be tried again", async () => {
  const { page } = here;
  await drop(page, "Kit");
  await part(page, "add").click();
  await part(part(page, "job"), "cancel").click();
  const over = page.locator('[data-test="job"]:is([data-state="cancelled"], [data-state="done"])');
  await over.waitFor();
  expect(await over.getAttribute("data-state")).toBe("cancelled");
  await part(page, "empty").waitFor();
  await part(page, "try-again").click();
  await page.locator('[data-test="job"][data-state="done"]').waitFor({ timeout: 2 * PATIENCE });
  await row("Low Bass").waitFor();
  await tidied();
});
