/** The compressed size of everything that the page loads, and its first paint. */
import type { Request } from "playwright-core";
import { expect, inject, test } from "vitest";
import { ask, part, visit } from "./visit";

const MOST_BYTES = 250_000;

test("the page is at most 250 kB compressed and loads nothing from other origins", async () => {
  const url = inject("url");
  const sizes = new Map<string, number>();
  const foreign: string[] = [];
  const waiting: Promise<unknown>[] = [];
  const weigh = (request: Request) => {
    const address = new URL(request.url());
    if (address.protocol.startsWith("http") && address.origin !== url) foreign.push(request.url());
    if (address.origin !== url || !/^\/(web\/.*)?$/.test(address.pathname)) return;
    waiting.push(request.sizes().then((size) => sizes.set(address.pathname, size.responseBodySize)));
  };
  const here = await visit("#/", { before: (page) => page.on("requestfinished", weigh) });
  const { page } = here;
  await ask(here);
  await part(page, "waveform").and(page.locator('[data-state="ready"]')).waitFor();
  await part(page, "record").first().click();
  await page.locator('[data-test="record-stop"]:not([disabled])').waitFor();
  await page.getByRole("button", { name: "Cancel" }).first().click();
  await part(page, "tab-library").click();
  await part(page, "instrument-row").first().waitFor();
  await part(page, "tab-map").click();
  await part(page, "map-canvas").waitFor();
  await Promise.all(waiting);
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const paint = await page.evaluate(
    () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime,
  );
  const facts = `${(total / 1000).toFixed(1)} kB in ${sizes.size} files; first paint after ${paint?.toFixed(0)} ms`;
  process.stdout.write(`page: ${facts}\n`);
  expect(foreign).toEqual([]);
  expect(sizes.size).toBeGreaterThan(8);
  expect(total).toBeGreaterThan(50_000);
  expect(total).toBeLessThanOrEqual(MOST_BYTES);
  await here.close();
});
