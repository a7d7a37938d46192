/** The keyboard alone: play, seek, move between lanes and instruments, help, undo. */
import { afterEach, expect, test } from "vitest";
import { heard, part, silent, told, type Visit, visit, visitAnswer } from "./visit";

let here: Visit;

afterEach(async () => {
  await here.close();
});

test("in the query view: space, arrows, numbers, A, L, / and ? work as the help says", async () => {
  here = await visitAnswer();
  const { page } = here;
  const press = (key: string) => page.keyboard.press(key);
  const clock = async () => Number(/0:(\d+\.\d)/.exec(await part(page, "clock").innerText())?.[1]);
  await page.locator("#main").focus();
  await press(" ");
  await heard(page, "reference");
  await press(" ");
  await silent(page);
  const before = await clock();
  await press("ArrowRight");
  await expect.poll(clock).toBeCloseTo(before + 2, 1);
  await press("ArrowLeft");
  await expect.poll(clock).toBeCloseTo(before, 1);
  await press("ArrowDown");
  await press("ArrowDown");
  const lane = page.locator('.lane[data-current="true"]');
  await lane.and(page.locator("#lane-2")).waitFor();
  const second = await lane.locator(".hit").nth(1).getAttribute("data-id");
  await press("2");
  expect((await heard(page, "preview")).src).toContain(second);
  await press("a");
  await heard(page, "reference");
  await press("a");
  await heard(page, "preview");
  await press("l");
  await lane.and(page.locator('[data-locked="true"]')).waitFor();
  await press("Control+z");
  await lane.and(page.locator('[data-locked="false"]')).waitFor();
  await press("/");
  await page.locator('[data-test="library-select"]:focus').waitFor();
  await page.locator("#main").focus();
  await press("?");
  await part(page, "help").waitFor();
  await expect.poll(() => part(page, "help").innerText()).toContain("Space");
  await press("Escape");
  await part(page, "help").waitFor({ state: "detached" });
});

test("in the library: arrows move, F2 renames, Delete deletes, Ctrl+Z undoes", async () => {
  here = await visit("#/library");
  const { page } = here;
  await part(page, "library-row").filter({ hasText: "TimGM6mb" }).click();
  const row = (index: number) => page.locator(`[data-test="instrument-row"][data-index="${index}"]`);
  const name = (index: number) => row(index).locator(".instrument-name").innerText();
  await row(0).waitFor();
  const [first, second] = [await name(0), await name(1)];
  await part(row(0), "play").focus();
  await page.keyboard.press("ArrowDown");
  await row(1).and(page.locator("[data-current]")).waitFor();
  await part(row(1), "play").and(page.locator(":focus")).waitFor();
  await page.keyboard.press("F2");
  await part(page, "name-edit").fill("By keyboard");
  await page.keyboard.press("Enter");
  await expect.poll(() => name(1)).toBe("By keyboard");
  await part(row(1), "play").focus();
  await page.keyboard.press("Control+z");
  await expect.poll(() => name(1)).toBe(second);
  await part(row(0), "play").focus();
  await page.keyboard.press("Delete");
  await expect.poll(() => name(0)).toBe(second);
  await told(page, /^“.*” was deleted/);
  await page.keyboard.press("Control+z");
  await expect.poll(() => name(0)).toBe(first);
  await page.keyboard.press("/");
  await page.locator('[data-test="search"]:focus').waitFor();
});
