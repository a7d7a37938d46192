/** The library for daily work: several instruments changed together, tags, favourites, orders, filters, readable names. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { drop, PATIENCE, part, told, type Visit, visit } from "./visit";

let here: Visit;

beforeEach(async () => {
  here = await visit("#/library");
  await drop(here.page, "Kit", "Zipped.zip"); // the same tones twice
  await part(here.page, "review").waitFor();
  await part(here.page, "add").click();
  await here.page.locator('[data-test="job"][data-state="done"]').waitFor({ timeout: 2 * PATIENCE });
  await expect.poll(() => rows().count()).toBe(8);
});

afterEach(async () => {
  await part(here.page, "delete-library").click();
  await told(here.page, /^The library .* was deleted/);
  await here.close();
});

const rows = () => part(here.page, "instrument-row");
const names = () => rows().locator(".instrument-name").allInnerTexts();
const families = async () => {
  const found = await part(rows(), "family").all();
  return Promise.all(found.map((one) => one.inputValue()));
};
const selected = () => part(here.page, "selected").innerText();

test("a range of rows gets a family, tags and stars together, each with one undo", async () => {
  const { page } = here;
  const before = await families();
  await part(rows().nth(1), "name").click();
  await part(rows().nth(3), "name").click({ modifiers: ["Shift"] });
  await expect.poll(selected).toBe("3 selected");
  await part(rows().nth(6), "name").click({ modifiers: ["Control"] });
  await part(rows().nth(2), "select").click();
  await expect.poll(selected).toBe("3 selected");
  await part(page, "bulk-family").selectOption("organ");
  await told(page, /^3 instruments are now organ$/);
  const organs = [1, 3, 6];
  await expect.poll(families).toEqual(before.map((family, row) => (organs.includes(row) ? "organ" : family)));
  await part(page, "bulk-tag").fill("Dusty");
  await part(page, "bulk-tag").press("Enter");
  await expect.poll(() => part(rows(), "tag").allInnerTexts()).toEqual(["Dusty", "Dusty", "Dusty"]);
  await part(page, "bulk-favourite").click();
  await told(page, /^3 instruments are among the favourites$/);
  await part(page, "bulk-untag").click();
  await expect.poll(() => part(rows(), "tag").count()).toBe(0);
  await page.keyboard.press("Control+z");
  await expect.poll(() => part(rows(), "tag").count()).toBe(3);
  await part(page, "favourites").click();
  await expect.poll(() => rows().count()).toBe(3);
  await part(page, "favourites").click();
  await expect.poll(() => rows().count()).toBe(8);
  const [first = ""] = (await names()).slice(1);
  const [word = ""] = first.split(" ");
  await part(page, "search").fill(`dusty ${word}`);
  await expect.poll(names).toContain(first);
  await expect.poll(() => rows().count()).toBeLessThan(4);
  await part(page, "search").fill("");
  await expect.poll(() => rows().count()).toBe(8);
});

test("the keyboard selects, and deletes what is selected", async () => {
  const { page } = here;
  await part(rows().first(), "play").focus();
  await page.keyboard.press("Shift+ArrowDown");
  await page.keyboard.press("Shift+ArrowDown");
  await expect.poll(selected).toBe("3 selected");
  await page.keyboard.press("x");
  await expect.poll(selected).toBe("2 selected");
  await page.keyboard.press("Control+a");
  await expect.poll(selected).toBe("8 selected");
  await page.keyboard.press("Escape");
  await part(page, "bulk").waitFor({ state: "detached" });
  await page.keyboard.press("x");
  await page.keyboard.press("Shift+ArrowUp");
  await expect.poll(selected).toBe("2 selected");
  await page.keyboard.press("Delete");
  await told(page, /^2 instruments were deleted$/);
  await expect.poll(() => rows().count()).toBe(6);
  await part(page, "toast").getByRole("button", { name: "Undo" }).first().click();
  await expect.poll(() => rows().count()).toBe(8);
});

test("orders, the unknown family, and of duplicates one is kept", async () => {
  const { page } = here;
  const added = await names();
  await part(page, "sort").selectOption("newest");
  await expect.poll(names).toEqual(added.toReversed());
  await part(page, "sort").selectOption("name");
  await expect.poll(names).toEqual(added.toSorted());
  await part(rows().nth(4), "family").selectOption("");
  const unknown = (await names())[4];
  await told(page, /is now unknown$/);
  await part(part(page, "library"), "family-select").selectOption("unknown");
  await expect.poll(names).toContain(unknown);
  await part(part(page, "library"), "family-select").selectOption("");
  await part(page, "duplicates-open").click();
  await part(page, "strictness").selectOption("0.995");
  const group = part(page, "duplicate-group").first();
  await part(group, "keep-one").first().click();
  await expect.poll(() => part(group, "duplicate").count()).toBe(1);
  await part(page, "duplicates-open").click();
  await expect.poll(() => rows().count()).toBeLessThan(8);
});

test("what neighbours share of their names is faded, and long names keep their end", async () => {
  const { page } = here;
  await part(rows().first(), "name").dblclick();
  const long = `Felt ${"and felt ".repeat(20)}take seven`;
  await part(page, "name-edit").fill(long);
  await part(page, "name-edit").press("Enter");
  const name = rows().locator(`[title="${long}"]`);
  await expect.poll(() => name.locator(".name-tail").innerText()).toMatch(/take seven$/);
  const end = await name.locator(".name-tail").evaluate((tail) => {
    const box = tail.parentElement?.getBoundingClientRect();
    return tail.getBoundingClientRect().right - (box?.right ?? 0);
  });
  expect(end).toBeLessThanOrEqual(1);
  await part(page, "sort").selectOption("name");
  const second = rows().locator('[title="Soft Flute (2)"]');
  await expect.poll(() => second.locator(".name-prefix").innerText()).toBe("Soft ");
});
