/** The main path: a track becomes lanes with hits, to play, compare, filter and refine. */
import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ask, asking, file, heard, part, silent, told, type Visit, visitAnswer } from "./visit";

let here: Visit;

beforeEach(async () => {
  here = await visitAnswer();
});

afterEach(async () => {
  await here.close();
});

const lanes = () => part(here.page, "lane");
const names = async (lane = 0) => lanes().nth(lane).locator(".hit-name").allInnerTexts();
const uploads = () =>
  here.requests.filter((one) => one.method() === "POST").map((one) => one.postData() ?? "");

test("a mixture gives lanes; previews play, and one key switches to the track and back", async () => {
  const { page } = here;
  await ask(here);
  await part(page, "waveform").and(page.locator('[data-state="ready"]')).waitFor();
  await expect.poll(() => lanes().count()).toBeGreaterThanOrEqual(2);
  await expect.poll(() => part(page, "source-name").innerText()).toBe("mixture.mp3");
  await expect
    .poll(() => part(page, "summary").innerText())
    .toMatch(/instruments? heard, matched with TimGM6mb/);
  await expect.poll(() => lanes().first().innerText()).toMatch(/\d+% sure/);
  await part(lanes().first(), "play-hit").first().click();
  const preview = await heard(page, "preview");
  await page.waitForFunction(() => {
    const gains = window.gains.map((gain) => gain.gain.value);
    return Math.min(...gains) < 0.89 && Math.max(...gains) <= 0.9001; // the louder side is turned down
  });
  await page.keyboard.press("a");
  const track = await heard(page, "reference");
  expect(track.src).toMatch(/^blob:/);
  await expect.poll(() => part(page, "ab").getAttribute("data-side")).toBe("reference");
  await page.keyboard.press("a");
  expect((await heard(page, "preview")).src).toBe(preview.src);
  await part(lanes().first(), "play-hit").first().click();
  await silent(page);
});

test("dragging over the waveform queries that part, without a second upload", async () => {
  const { page } = here;
  await ask(here);
  expect(uploads()).toHaveLength(1);
  const wave = page.locator(".wave-box");
  await part(page, "waveform").and(page.locator('[data-state="ready"]')).waitFor();
  const box = await wave.boundingBox();
  if (!box) throw new Error("no waveform");
  const middle = box.y + box.height / 2;
  const { sent, got } = await asking(page, async () => {
    await page.mouse.move(box.x + 0.2 * box.width, middle);
    await page.mouse.down();
    await page.mouse.move(box.x + 0.4 * box.width, middle, { steps: 8 });
    await page.mouse.move(box.x + 0.7 * box.width, middle, { steps: 8 });
    await page.mouse.up();
  });
  expect(sent).toContain('name="query"');
  expect(sent).not.toContain("filename=");
  const shares = got.range_seconds.map((second) => second / got.duration_seconds);
  expect(shares[0]).toBeCloseTo(0.2, 1);
  expect(shares[1]).toBeCloseTo(0.7, 1);
  expect(got.asked_again).toMatch(/^q_/);
  expect(page.url()).toContain(got.id);
  await part(page, "to").fill("0:11");
  const typed = await asking(page, () => part(page, "to").press("Enter"));
  expect(typed.got.range_seconds[1]).toBeCloseTo(11, 1);
  const whole = await asking(page, () => part(page, "whole").click());
  expect(whole.got.range_seconds).toEqual([0, whole.got.duration_seconds]);
  expect(uploads().filter((body) => body.includes("filename="))).toHaveLength(0);
});

test("families heard are shown on the time axis; a click plays from there, and folding is remembered", async () => {
  const { page } = here;
  await part(page, "heard").waitFor();
  const rows = part(page, "heard-family");
  await expect.poll(() => rows.allInnerTexts()).toContainEqual(expect.stringMatching(/^guitar/i));
  const row = rows.filter({ hasText: /^guitar/i });
  const guitar = row.getByRole("button");
  const strip = row.locator('[data-test="heard-strip"]'); // of the timeline, ten frames a second
  await expect
    .poll(() => strip.evaluate((node) => getComputedStyle(node).maskImage))
    .toMatch(/^url\("data:image/);
  const box = await guitar.boundingBox();
  await guitar.click({ position: { x: (box?.width ?? 0) / 2, y: 5 } });
  const track = await heard(page, "reference");
  expect(track.time).toBeGreaterThan(9);
  await part(page, "heard").locator("summary").click();
  await page.reload();
  await lanes().first().waitFor();
  await expect.poll(() => rows.first().isVisible()).toBe(false);
  await expect.poll(() => part(page, "heard").innerText()).toMatch(/guitar/);
});

test("the family filter gives hits of that family only, and undo restores the others", async () => {
  const { page } = here;
  const before = await names();
  const { sent, got } = await asking(page, () => part(page, "family-select").selectOption("brass"));
  expect(sent).toContain("brass");
  const families = got.slots.flatMap((slot) => slot.hits.map((hit) => hit.family));
  expect(families.length).toBeGreaterThan(0);
  expect(new Set(families)).toEqual(new Set(["brass"]));
  await page.locator('.lane .chip[data-family="brass"]').first().waitFor();
  await expect.poll(() => page.locator('.lane .chip:not([data-family="brass"])').count()).toBe(0);
  await page.keyboard.press("Escape");
  await page.locator("body").click({ position: { x: 5, y: 500 } });
  await page.keyboard.press("Control+z");
  await told(page, /^Undone: family filter/);
  await expect.poll(names).toEqual(before);
});

test("sound effects are no matches until they are asked for", async () => {
  const { page } = here;
  const effects = page.locator('.lane .chip[data-family="effect"]');
  const every = await asking(page, () => part(page, "top-k").selectOption("50"));
  expect(every.got.instruments.map(({ family }) => family)).not.toContain("effect");
  const { got } = await asking(page, () => part(page, "family-select").selectOption("any + effects"));
  expect(got.slots.flatMap((slot) => slot.hits.map(({ family }) => family))).toContain("effect");
  await effects.first().waitFor();
  await asking(page, () => part(page, "family-select").selectOption("any"));
  await expect.poll(() => effects.count()).toBe(0);
});

test("more like this, hide, lock: the lane is refined, and a locked lane stays", async () => {
  const { page } = here;
  const before = await names();
  const first = lanes().first();
  await part(first, "more-like").nth(1).click();
  await part(first, "less-like").waitFor();
  const alike = await names();
  await expect.poll(() => first.locator(".lane-note").innerText()).toContain(before[1]);
  expect(alike).not.toEqual(before);
  expect(alike).toHaveLength(before.length);
  await part(first, "less-like").click();
  await part(first, "less-like").waitFor({ state: "detached" });
  await expect.poll(names).toEqual(before);

  const hidden = await first.locator(".hit").first().getAttribute("data-id");
  const { sent, got } = await asking(page, () => part(first, "not-this").first().click());
  expect(sent).toContain(hidden ?? "none");
  expect(JSON.stringify(got.slots)).not.toContain(hidden);
  await expect.poll(() => page.locator(`.hit[data-id="${hidden}"]`).count()).toBe(0);
  await part(page, "allow-all").filter({ hasText: "1 hidden · Show again" }).waitFor();
  await part(page, "undo").click();
  await told(page, /^Undone: .* hidden for this track/);
  await expect.poll(names).toEqual(before);

  await part(first, "lock").click();
  await first.and(page.locator('[data-locked="true"]')).waitFor();
  await asking(page, () => part(page, "family-select").selectOption("organ"));
  const kept = page.locator('.lane[data-locked="true"]');
  await expect.poll(() => kept.count()).toBe(1);
  await expect.poll(() => kept.locator(".hit-name").allInnerTexts()).toEqual(before);
});

test("the toast of a hidden match undoes just that: a selection and a lock made since stay", async () => {
  const { page } = here;
  const [best] = await names();
  await asking(page, () => part(lanes().first(), "not-this").first().click());
  await part(page, "to").fill("0:15");
  await asking(page, () => part(page, "to").press("Enter"));
  await part(lanes().nth(1), "lock").click();
  const { got } = await asking(page, () => part(page, "undo").click());
  await told(page, new RegExp(`^Undone: ${best} hidden for this track`));
  expect(got.range_seconds[1]).toBeCloseTo(15, 1);
  await expect.poll(() => part(page, "to").inputValue()).toBe("0:15.0");
  await expect.poll(() => page.locator('.lane[data-locked="true"]').count()).toBe(1);
  await expect.poll(() => part(page, "allow-all").count()).toBe(0);
});

test("zooming leaves the play-head where it is, also while the track plays", async () => {
  const { page } = here;
  await part(page, "waveform").and(page.locator('[data-state="ready"]')).waitFor();
  const seconds = async () => Number(/0:(\d+\.\d)/.exec(await part(page, "clock").innerText())?.[1]);
  await part(page, "from").fill("0:05");
  await asking(page, () => part(page, "from").press("Enter"));
  await part(page, "to").fill("0:15");
  await asking(page, () => part(page, "to").press("Enter"));
  await page.locator("#main").focus();
  for (let step = 0; step < 4; step++) await page.keyboard.press("ArrowRight");
  await expect.poll(seconds).toBe(8);
  const asked = here.requests.length;
  await part(page, "zoom").click();
  await page.waitForTimeout(500); // the zoomed waveform is drawn a little later
  expect(await seconds()).toBe(8);
  await part(page, "play-reference").click();
  await heard(page, "reference");
  const before = await seconds();
  await part(page, "zoom").click();
  await page.waitForTimeout(500);
  const after = await seconds();
  expect(after).toBeGreaterThan(before);
  expect(after - before).toBeLessThan(4);
  expect(here.requests.slice(asked).filter((one) => one.method() === "POST")).toEqual([]);
});

test("a library without instruments is not chosen: the select and the answer agree", async () => {
  const { page, url } = here;
  const made = await page.request.post(`${url}/v1/libraries`, { data: { name: "Hollow" } });
  const { id } = (await made.json()) as { id: string };
  await page.reload();
  await part(page, "library-select").locator(`option[value="${id}"]`).waitFor({ state: "attached" });
  const before = await part(page, "library-select").inputValue();
  await part(page, "library-select").selectOption(id);
  await part(page, "problem").filter({ hasText: "Hollow" }).waitFor();
  await expect.poll(() => part(page, "library-select").inputValue()).toBe(before);
  await expect.poll(() => part(page, "summary").innerText()).toContain("matched with TimGM6mb");
  await page.request.delete(`${url}/v1/libraries/${id}`);
});

test("one preview in two lanes shows one stop button", async () => {
  const { page } = here;
  await asking(page, () => part(page, "top-k").selectOption("50"));
  const listed = await Promise.all([0, 1].map((lane) => names(lane)));
  const shared = listed[0]?.find((name) => listed[1]?.includes(name));
  expect(shared).toBeDefined();
  const buttons = page.getByRole("button", { name: new RegExp(`^(Play|Stop) ${shared}$`) });
  await buttons.first().click();
  await heard(page, "preview");
  expect(await page.getByRole("button", { name: `Stop ${shared}`, exact: true }).count()).toBe(1);
  await buttons.nth(1).click(); // moves the sound there
  await heard(page, "preview");
  await buttons.nth(1).and(page.locator('[aria-pressed="true"]')).waitFor();
  expect(await page.getByRole("button", { name: `Stop ${shared}`, exact: true }).count()).toBe(1);
});

test("an answer without a match says so", async () => {
  const { page } = here;
  await asking(page, () => part(page, "library-select").selectOption({ label: "Five thousand (5000)" }));
  await part(page, "none-of-yours").first().waitFor();
  await expect.poll(() => part(page, "none-of-yours").first().innerText()).toContain("None of yours.");
  await expect.poll(() => part(page, "match").first().innerText()).toBe("no match");
  await expect.poll(() => part(page, "summary").innerText()).toContain("no match in Five thousand");
  await page.reload();
  const chosen = await part(page, "library-select")
    .locator("option", { hasText: "Five thousand" })
    .getAttribute("value");
  await expect.poll(() => part(page, "library-select").inputValue()).toBe(chosen);
});

test("theme and volume are remembered", async () => {
  const { page } = here;
  await part(page, "theme").click();
  await page.getByLabel("Volume").fill("0.4");
  await page.reload();
  await expect.poll(() => page.locator("html").getAttribute("data-theme")).toBe("dark");
  await expect.poll(() => page.getByLabel("Volume").inputValue()).toBe("0.4");
});

test("a pasted file is queried under its name", async () => {
  const { page } = here;
  const bytes = (await readFile(file("other.wav"))).toString("base64");
  const { got } = await asking(page, () =>
    page.evaluate((data) => {
      const raw = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const clipboardData = new DataTransfer();
      clipboardData.items.add(new File([raw], "other.wav", { type: "audio/wav" }));
      window.dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
    }, bytes),
  );
  expect(got.name).toBe("other.wav");
  await page.waitForFunction(
    () => document.querySelector('[data-test="source-name"]')?.textContent === "other.wav",
  );
});
