/** The map: colours by family, hover previews, similar instruments, and the query's slots. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { heard, part, silent, type Visit, visitAnswer } from "./visit";

let here: Visit;

beforeEach(async () => {
  here = await visitAnswer();
});

afterEach(async () => {
  await here.close();
});

test("the map shows the query's slots; the keyboard moves, plays and lists similar instruments", async () => {
  const { page } = here;
  const lanes = await part(page, "lane").count();
  await part(page, "tab-map").click();
  await part(page, "map-canvas").waitFor();
  await expect.poll(() => page.locator(".map-method").innerText()).toContain("t-SNE");
  const slots = part(page, "map-slot");
  await slots.first().waitFor();
  await expect.poll(() => slots.count()).toBe(lanes);
  await expect.poll(() => coloursOn(page)).toBeGreaterThan(8); // one per family
  await slots.first().click();
  await part(page, "similar-row").first().waitFor();
  await expect.poll(() => part(page, "similar-row").count()).toBe(12);
  await heard(page, "preview");
  await part(page, "map-canvas").focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  const chosen = await part(page, "similar").getAttribute("data-id");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  await page.waitForFunction(
    (id) => document.querySelector('[data-test="similar"]')?.getAttribute("data-id") !== id,
    chosen,
  );
  await page.keyboard.press("Escape");
  await part(page, "similar").waitFor({ state: "detached" });
});

test("hovering plays, a click lists similar instruments and reveals one in the library", async () => {
  const { page } = here;
  await page.goto(`${here.url}/#/map`);
  const canvas = part(page, "map-canvas");
  await canvas.waitFor();
  await canvas.click({ position: { x: 3, y: 3 } }); // browsers allow sound after a first click
  const box = await canvas.boundingBox();
  if (!box) throw new Error("no map");
  const pointed = page.locator(".map-view > .unseen[role=status]");
  for (let step = 0; step < 400 && !(await pointed.innerText()); step++)
    await page.mouse.move(
      box.x + (0.05 + 0.9 * ((step * 0.618) % 1)) * box.width,
      box.y + (0.1 + 0.002 * step) * box.height,
    );
  await expect.poll(() => pointed.innerText()).toMatch(/, /);
  await heard(page, "preview");
  await page.mouse.down();
  await page.mouse.up();
  await part(page, "similar-row").first().waitFor();
  await part(page, "similar")
    .getByRole("button", { name: /^Stop|^Play/ })
    .first()
    .waitFor();
  await page.mouse.move(box.x + 2, box.y + 2);
  await silent(page);
  const name = await part(page, "similar").locator("h3").innerText();
  await part(page, "find").click();
  await part(page, "instrument-row").filter({ hasText: name }).first().waitFor();
});

test("the legend filters by family, and the list has the same content as the map", async () => {
  const { page } = here;
  await page.goto(`${here.url}/#/map`);
  const brass = part(page, "legend-family").filter({ hasText: "brass" });
  await brass.click();
  await part(page, "as-list").click();
  await part(page, "map-row").first().waitFor();
  const count = Number(await brass.locator("b").innerText());
  await expect.poll(() => part(page, "map-row").count()).toBe(count);
  await expect.poll(() => page.locator('.point-row .chip:not([data-family="brass"])').count()).toBe(0);
  await part(page, "map-row").first().locator(".similar-name").click();
  await part(page, "similar-row").first().waitFor();
});

/** The number of distinct colours on the canvas, coarsely quantized. */
function coloursOn(page: Visit["page"]): Promise<number> {
  return part(page, "map-canvas").evaluate((canvas) => {
    const { width, height } = canvas as HTMLCanvasElement;
    const pixels =
      (canvas as HTMLCanvasElement).getContext("2d")?.getImageData(0, 0, width, height).data ?? [];
    const seen = new Set<number>();
    for (let at = 0; at < pixels.length; at += 16)
      if (pixels[at + 3])
        seen.add(
          ((pixels[at] ?? 0) >> 5) * 64 + ((pixels[at + 1] ?? 0) >> 5) * 8 + ((pixels[at + 2] ?? 0) >> 5),
        );
    return seen.size;
  });
}
