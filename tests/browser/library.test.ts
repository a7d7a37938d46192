/** The library view: enroll dropped and picked files, browse, correct, delete, undo, find duplicates, cancel. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { drop, file, heard, PATIENCE, part, told, type Visit, visit } from "./visit";

const SENT = 0.2; // progress when the upload is complete (enrollments.ts)

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
const toast = (text: RegExp) => part(here.page, "toast").filter({ hasText: text });
const openName = () => part(here.page, "library-name").innerText();

const job = (state: string) => here.page.locator(`[data-test="job"][data-state="${state}"]`);

/** The texts with `words` that are cut off without an ellipsis, or reach out of the window. Runs in the page. */
function cutNames(words: string): string[] {
  return [...document.querySelectorAll<HTMLElement>("body *")]
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE))
    .filter((one) => new RegExp(words).test(one.textContent ?? "") && one.offsetParent !== null)
    .filter((one) => {
      const style = getComputedStyle(one);
      const cuts = one.scrollWidth > one.clientWidth + 1 && style.display !== "inline";
      const reachesOut = one.getBoundingClientRect().right > innerWidth + 1;
      return reachesOut || (cuts && style.textOverflow !== "ellipsis");
    })
    .map((one) => `${one.tagName.toLowerCase()}.${one.className}`);
}

/** Add the files under review and wait until they are enrolled. */
async function enroll(): Promise<void> {
  await part(here.page, "add").click();
  await job("done").waitFor({ timeout: 2 * PATIENCE });
}

/** Delete the open library; its row disappears when the service has deleted it. */
async function deleteLibrary(): Promise<void> {
  const { page } = here;
  const id = await part(page, "library").getAttribute("data-id");
  await part(page, "delete-library").click();
  await page.locator(`[data-test="library-row"][data-id="${id}"]`).waitFor({ state: "detached" });
}

test("a SoundFont is enrolled with progress, and can be queried at once", async () => {
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
  await expect.poll(() => part(page, "review").innerText()).toContain("Small.sf2");
  await enroll();
  await expect.poll(openName).toContain("Small");
  const shares = await page.evaluate(() =>
    [...(window as unknown as { shares: Set<string> }).shares].map(Number),
  );
  expect(shares.some((share) => share > SENT && share < 1)).toBe(true); // progress of the job, not of the upload
  await row("Hollow Clarinet").waitFor();
  await expect.poll(() => job("done").innerText()).toMatch(/7 added/);
  await part(row("Hollow Clarinet"), "play").click();
  await heard(page, "preview");
  await part(page, "tab-query").click();
  await part(page, "library-select")
    .locator("option:checked", { hasText: "Small (7)" })
    .waitFor({ state: "attached" });
  await part(page, "tab-library").click();
  await deleteLibrary();
});

test("a dropped folder is reviewed first: one instrument per folder, other files are skipped", async () => {
  const { page } = here;
  await drop(page, "Kit");
  await part(page, "review").waitFor();
  const review = await part(page, "review").innerText();
  expect(review).toContain("8 files");
  expect(review).toContain("readme.txt");
  await expect.poll(() => part(page, "add").innerText()).toContain("4 instruments");
  await enroll();
  await expect.poll(openName).toContain("Kit");
  await row("Low Bass").waitFor();
  await expect.poll(() => rows().count()).toBe(4);
  await deleteLibrary();
});

test("a dropped zip is added to an existing library; corrections survive a reload", async () => {
  const { page } = here;
  await part(page, "new-library").click();
  await part(page, "new-library-name").fill("By hand");
  await part(page, "new-library-name").press("Enter");
  await part(page, "empty").waitFor();
  await drop(page, "Zipped.zip");
  await part(page, "review").waitFor();
  await enroll();
  await expect.poll(openName).toContain("By hand");
  await row("Soft Flute").waitFor();

  const named = row("Soft Flute");
  await part(named, "name").dblclick();
  await part(page, "name-edit").fill("Flute of mine");
  await part(page, "name-edit").press("Enter");
  await row("Flute of mine").waitFor();
  await part(row("Low Bass"), "family").selectOption("organ");
  await told(page, /“Low Bass” is now organ/);
  await part(row("Grand Piano"), "name").click(); // a click makes the row current
  await page.keyboard.press("Delete");
  await row("Grand Piano").waitFor({ state: "detached" });
  await told(page, /^“Grand Piano” was deleted/);
  await page.reload();
  await row("Flute of mine").waitFor();
  await expect.poll(() => part(row("Low Bass"), "family").inputValue()).toBe("organ");
  await expect.poll(() => rows().count()).toBe(3);

  await part(page, "search").fill("mine");
  await expect.poll(() => rows().count()).toBe(1);
  await part(page, "search").fill("");
  await part(part(page, "library"), "family-select").selectOption("organ");
  await expect.poll(() => rows().locator(".instrument-name").allInnerTexts()).toEqual(["Low Bass"]);
  await part(part(page, "library"), "family-select").selectOption("");

  await part(page, "rename-library").click();
  await part(page, "library-name-edit").fill("Renamed");
  await part(page, "library-name-edit").press("Enter");
  await part(page, "library-row").filter({ hasText: "Renamed" }).waitFor();
  await deleteLibrary();
  await told(page, /^The library “Renamed” was deleted/);
  await page.keyboard.press("Control+z");
  await told(page, /^Undone: The library “Renamed” was deleted/);
  await row("Flute of mine").waitFor();
  await expect.poll(openName).toBe("Renamed");
  await deleteLibrary();
});

test("a name that is taken is refused beside its field, and a long name ends in an ellipsis", async () => {
  const { page } = here;
  const long = `Orchestra ${"of very long strings ".repeat(8)}`.trim();
  await part(page, "new-library").click();
  await part(page, "new-library-name").fill(long);
  await part(page, "new-library-name").press("Enter");
  await expect.poll(openName).toBe(long);
  const dropAndLook = async () => {
    await drop(page, "Zipped.zip"); // the view of the new library may still be opening
    return part(page, "review").isVisible();
  };
  await expect.poll(dropAndLook, { interval: 1_000, timeout: 20_000 }).toBe(true);
  await enroll();
  await part(row("Soft Flute"), "name").dblclick();
  await part(page, "name-edit").fill("Low Bass");
  await part(page, "name-edit").press("Enter");
  const fault = part(page, "name-fault");
  await fault.filter({ hasText: "Low Bass" }).waitFor();
  const [field, why] = [await part(page, "name-edit").boundingBox(), await fault.boundingBox()];
  expect(Math.abs((why?.y ?? 0) - (field?.y ?? 0) - (field?.height ?? 0))).toBeLessThan(12);
  expect(await part(page, "name-edit").getAttribute("aria-invalid")).toBe("true");
  await part(page, "name-edit").fill(`Flute ${"and flute ".repeat(18)}`.trim());
  await part(page, "name-edit").press("Enter");
  await row(`Flute ${"and flute ".repeat(18)}`.trim()).waitFor();
  for (const [hash, test] of [
    ["#/library", "library"],
    ["#/map", "map"],
    ["#/", "query"],
  ] as const) {
    await page.evaluate((to) => {
      location.hash = to;
    }, hash);
    await part(page, test).waitFor();
    expect(await page.evaluate(cutNames, "of very long strings|and flute")).toEqual([]);
  }
  await page.evaluate(() => {
    location.hash = "#/library";
  });
  await deleteLibrary();
});

test("the toast undoes a deletion, and the keyboard a correction", async () => {
  const { page } = here;
  await part(page, "library-row").filter({ hasText: "TimGM6mb" }).click();
  await row("Harpsichord").waitFor();
  const before = await rows().first().innerText();
  await part(rows().first(), "delete").click();
  const deleted = toast(/^“.*” was deleted/);
  await deleted.waitFor();
  await expect.poll(() => rows().first().innerText()).not.toBe(before);
  await part(deleted, "undo").click();
  await told(page, /^Undone: “.*” was deleted/);
  await expect.poll(() => rows().first().innerText()).toBe(before);
  const family = part(row("Harpsichord"), "family");
  const was = await family.inputValue();
  await family.selectOption("bass");
  await told(page, /“Harpsichord” is now bass/);
  await part(rows().first(), "play").focus();
  await page.keyboard.press("Control+z");
  await expect.poll(() => family.inputValue()).toBe(was);
});

test("duplicates are listed, played and deleted", async () => {
  const { page } = here;
  await drop(page, "Kit", "Zipped.zip"); // the same tones twice
  await part(page, "review").waitFor();
  await enroll();
  await part(page, "duplicates-open").click();
  await Promise.all([
    page.waitForResponse((answer) => answer.url().includes("min_similarity=0.995")),
    part(page, "strictness").selectOption("0.995"),
  ]);
  const twins = part(part(page, "duplicate-group").first(), "duplicate");
  await expect.poll(() => twins.count()).toBeGreaterThanOrEqual(2);
  const before = await twins.count();
  await part(twins.first(), "play").click();
  await heard(page, "preview");
  await part(twins.last(), "delete").click();
  await expect.poll(() => twins.count()).toBe(before - 1);
  await part(toast(/^“.*” was deleted/), "undo").click();
  await expect.poll(() => twins.count()).toBe(before);
  await deleteLibrary();
});

test("running and queued enrollments can be cancelled and taken out; a cancelled one can be retried", async () => {
  const { page } = here;
  await drop(page, "Many");
  await part(page, "add").click();
  const running = part(page, "job").filter({ hasText: /Many/ });
  await running.filter({ hasText: /\d+ of 1100/ }).waitFor();
  await part(page, "empty").filter({ hasText: "Instruments are being added" }).waitFor();
  await drop(page, "Kit");
  await part(page, "target").selectOption("new");
  await part(page, "add").click();
  const queued = part(page, "job").filter({ hasText: /Kit/ });
  await queued.filter({ hasText: "Waiting in the queue" }).waitFor();
  await part(queued, "cancel").click();
  await queued.and(job("cancelled")).waitFor();
  await part(page, "empty").waitFor();
  await part(running, "cancel").click();
  await running.and(job("cancelled")).waitFor();
  await part(queued, "try-again").click();
  await queued.and(job("done")).waitFor({ timeout: 2 * PATIENCE });
  await row("Low Bass").waitFor();
  await expect.poll(openName).toContain("Kit");
  await deleteLibrary();
  if (await part(running, "take-out").isVisible()) {
    await part(running, "take-out").click(); // its first batches
    await part(running, "take-out").waitFor({ state: "detached" });
  }
  await part(page, "library-row").filter({ hasText: "Many" }).click();
  await part(page, "empty").waitFor();
  await deleteLibrary();
});
