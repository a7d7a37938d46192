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

test("a lane's matches are one tab stop, and the focus stays among them when one is hidden", async () => {
  here = await visitAnswer();
  const { page } = here;
  const focused = (selector: string) => page.locator(`${selector}:focus`).waitFor();
  const stops = await page.evaluate(() => {
    const found = [...document.querySelectorAll<HTMLElement>("a[href], button, input, select, [tabindex]")];
    return found.filter(
      (one) => one.tabIndex >= 0 && !one.matches(":disabled") && one.offsetParent && one.closest(".hits"),
    ).length;
  });
  expect(stops).toBe(await page.locator(".hits").count());
  const hit = (index: number, control: string) => `#lane-1 .hit:nth-child(${index}) [data-test="${control}"]`;
  await page.locator(hit(1, "play-hit")).focus();
  await page.keyboard.press("ArrowDown");
  await focused(hit(2, "play-hit"));
  await page.keyboard.press("ArrowRight");
  await focused(hit(2, "more-like"));
  await page.keyboard.press("ArrowRight");
  await focused(hit(2, "not-this"));
  const name = await page.locator("#lane-1 .hit:nth-child(2) .hit-name").innerText();
  await page.keyboard.press("Enter");
  await told(page, new RegExp(`^${name} hidden for this track`));
  await page.locator("#lane-1").getByText(name, { exact: true }).waitFor({ state: "detached" });
  await page.locator(".lanes :focus").waitFor();
  await page.waitForFunction(
    () => document.querySelector('[data-test="lanes"]')?.getAttribute("data-busy") === "false",
  );
  await page.locator(".lanes :focus").waitFor();
  await page.locator(hit(1, "play-hit")).focus();
  await page.keyboard.press("ArrowUp"); // before the first match: the lane's own keys
  await focused("#lane-1");
});

test("the running clock is not announced", async () => {
  here = await visitAnswer();
  const { page } = here;
  const live = 'output, [role="status"], [role="alert"], [role="log"], [aria-live]:not([aria-live="off"])';
  await part(page, "clock").waitFor();
  expect(await page.locator(live).locator(part(page, "clock")).count()).toBe(0);
  expect(await part(page, "clock").and(page.locator(live)).count()).toBe(0);
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
