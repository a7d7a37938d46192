/** Accessibility of the page's main states, light and dark, by axe-core: no serious or critical violations.
 * With SHOWME_SCREENSHOTS=1, writes the README's pictures to docs/img/. */
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import { afterEach, expect, test } from "vitest";
import { ROOT } from "./service";
import { ask, asking, drop, file, PATIENCE, part, told, type Visit, visit, visitAnswer } from "./visit";

const require = createRequire(join(ROOT, "app/web/package.json"));
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const IMAGES = join(ROOT, "docs/img");
const SCHEMES = ["light", "dark"] as const;
const PHONE = { width: 390, height: 844 };

let here: Visit;

afterEach(async () => {
  await here.close();
});

/** Check the state in both colour schemes; `pictures` names the screenshots. */
async function accessible(
  state: string,
  pictures: Partial<Record<(typeof SCHEMES)[number], string>> = {},
): Promise<void> {
  const { page } = here;
  const faults: string[] = [];
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
    const rules = colorScheme === SCHEMES[0] ? {} : { runOnly: ["color-contrast"] }; // all others ignore colours
    const found = await page.evaluate(async (options) => {
      for (let still = 0; still < 3; still++) {
        await new Promise((drawn) => requestAnimationFrame(drawn));
        if (document.getAnimations().length) still = -1;
      }
      const { axe } = window as unknown as { axe: { run: (options: object) => Promise<AxeResults> } };
      const { violations } = await axe.run({
        ...options,
        resultTypes: ["violations"],
        preload: false,
      });
      return violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .flatMap(({ id, nodes }) =>
          nodes.map((node) => `${id}: ${node.target.join(" ")} ${node.failureSummary ?? ""}`),
        );
    }, rules);
    faults.push(...found.map((fault) => `${state}, ${colorScheme}: ${fault}`));
    const picture = pictures[colorScheme];
    if (picture && process.env.SHOWME_SCREENSHOTS === "1") {
      mkdirSync(IMAGES, { recursive: true });
      await page.screenshot({ path: join(IMAGES, `${picture}.png`), caret: "initial" });
    }
  }
  expect(faults).toEqual([]);
}

const clear = () => here.page.mouse.move(2, 400);

test("the first screen, an answer, its menus and dialogs", async () => {
  here = await visit();
  const { page } = here;
  await part(page, "history").or(page.locator(".history-none")).first().waitFor();
  await accessible("first screen");
  await ask(here);
  await part(page, "waveform").and(page.locator('[data-state="ready"]')).waitFor();
  await page.locator(".lane canvas").first().waitFor();
  await part(page, "from").fill("4");
  await asking(page, () => part(page, "from").press("Enter"));
  await part(page, "from").blur();
  await clear();
  await accessible("answer", { light: "query-light", dark: "query-dark" });
  await part(page, "lock").first().click();
  await part(page, "more-like").nth(1).click();
  await part(page, "less-like").first().waitFor();
  await part(page, "export").click();
  await part(page, "export-zip").waitFor();
  await accessible("refined answer with a menu");
  await page.keyboard.press("Escape");
  await part(page, "help-open").click();
  await part(page, "help").waitFor();
  await accessible("help");
});

test("an error over an answer", async () => {
  here = await visitAnswer();
  const { page } = here;
  await part(page, "file").first().setInputFiles(file("lying.mp3"));
  await part(page, "problem").waitFor();
  await page.locator(".lane canvas").first().waitFor();
  await clear();
  await accessible("error", { dark: "error" });
});

test("the library: browsing, reviewing a drop, a running job, duplicates", async () => {
  here = await visit("#/library");
  const { page } = here;
  await part(page, "instrument-row").first().waitFor();
  await accessible("library");
  await part(page, "select").first().check();
  await part(page, "bulk").waitFor();
  await accessible("selected instruments");
  await part(page, "bulk-clear").click();
  await drop(page, "Kit", "Small.sf2");
  await part(page, "review").waitFor();
  await accessible("review");
  await part(page, "add").click();
  await part(page, "job").waitFor();
  await part(page, "library-row").filter({ hasText: "TimGM6mb" }).click();
  await part(page, "instrument-row").nth(5).waitFor();
  await clear();
  if (process.env.SHOWME_SCREENSHOTS === "1") {
    mkdirSync(IMAGES, { recursive: true });
    await part(page, "job").and(page.locator('[data-state="running"]')).waitFor();
    await page.screenshot({ path: join(IMAGES, "library.png"), caret: "initial" });
  }
  await page.locator('[data-test="job"][data-state="done"]').waitFor({ timeout: 2 * PATIENCE });
  await page.getByRole("button", { name: /^Open “/ }).click();
  await part(page, "instrument-row").first().waitFor();
  await accessible("library after a job");
  await part(page, "duplicates-open").click();
  await part(page, "strictness").selectOption("0.95");
  await page.locator('[data-test="duplicate-group"], .duplicates [data-test="empty"]').first().waitFor();
  await accessible("duplicates");
  await part(page, "delete-library").click();
  await told(page, /^The library .* was deleted/);
  await accessible("toast");
});

test("the map with a query's slots, as a picture and as a list", async () => {
  here = await visitAnswer();
  const { page } = here;
  await part(page, "tab-map").click();
  await part(page, "map-slot").first().click();
  await part(page, "similar-row").first().waitFor();
  await clear();
  await accessible("map", { dark: "map" });
  await part(page, "as-list").click();
  await part(page, "map-row").first().waitFor();
  await accessible("map as a list");
});

test("a phone: everything fits its width, in every view", async () => {
  here = await visitAnswer({ viewport: PHONE, isMobile: true, hasTouch: true, deviceScaleFactor: 2 });
  const { page } = here;
  const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth);
  await page.locator(".lane canvas").first().waitFor();
  await expect.poll(fits).toBe(true);
  await accessible("answer on a phone", { dark: "phone" });
  await page.setViewportSize({ width: 360, height: 740 });
  await expect.poll(fits).toBe(true);
  await part(page, "tab-library").click();
  await part(page, "instrument-row").first().waitFor();
  await expect.poll(fits).toBe(true);
  await part(page, "tab-map").click();
  await part(page, "map-canvas").waitFor();
  await expect.poll(fits).toBe(true);
  await accessible("map on a phone");
});
