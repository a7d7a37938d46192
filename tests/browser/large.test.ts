/** A library of 5,000 instruments scrolls from top to bottom without empty rows. */
import { expect, test } from "vitest";
import { PATIENCE, part, visit } from "./visit";

const STEPS = 12;

test("5,000 instruments scroll to the end without an empty row", async () => {
  const here = await visit("#/library");
  const { page } = here;
  await part(page, "library-row").filter({ hasText: "Five thousand" }).click();
  await part(page, "instrument-row").filter({ hasText: "Instrument 0000" }).waitFor();
  const list = part(page, "instruments");
  const most = await list.evaluate((box) => box.scrollHeight - box.clientHeight);
  expect(most).toBeGreaterThan(5000 * 40 - 1000);
  let slowest = 0;
  for (let step = 1; step <= STEPS; step++) {
    const began = Date.now();
    await list.evaluate((box, top) => box.scrollTo(0, top), (most * step) / STEPS);
    await page.waitForFunction(rowsInSightAreThere, null, { timeout: PATIENCE });
    slowest = Math.max(slowest, Date.now() - began);
  }
  await part(page, "instrument-row").filter({ hasText: "Instrument 4999" }).waitFor();
  process.stdout.write(`5,000 instruments: visible rows loaded within ${slowest} ms after a jump\n`);
  const drawn = await part(page, "instrument-row").count();
  expect(drawn).toBeLessThan(100); // only rows near the viewport
  await list.evaluate((box) => box.scrollTo(0, 0));
  await part(page, "instrument-row").filter({ hasText: "Instrument 0000" }).waitFor();
  await here.close();
});

/** In the page: whether rows with names cover the whole list. */
function rowsInSightAreThere(): boolean {
  const box = document.querySelector('[data-test="instruments"]');
  if (!box) return false;
  const frame = box.getBoundingClientRect();
  const inSight = [...box.querySelectorAll(".virtual-row")]
    .map((row) => ({ row, place: row.getBoundingClientRect() }))
    .filter(({ place }) => place.bottom > frame.top + 1 && place.top < frame.bottom - 1);
  const covered = inSight.reduce((sum, { place }) => sum + place.height, 0);
  return (
    covered >= frame.height - 4 &&
    inSight.every(({ row }) => row.querySelector(".instrument-name")?.textContent)
  );
}
