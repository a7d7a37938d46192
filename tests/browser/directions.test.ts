/** More like this, in a direction: the sliders list other instruments, and undo returns to those of before. */
import { afterEach, expect, test } from "vitest";
import { part, type Visit, visitAnswer } from "./visit";

let here: Visit;

afterEach(async () => {
  await here.close();
});

test("sliders beside more like this lead to brighter or longer instruments, and undo leads back", async () => {
  here = await visitAnswer({ viewport: { width: 390, height: 844 } });
  const { page } = here;
  const lane = page.locator("#lane-1");
  const names = () => lane.locator(".hit-name").allInnerTexts();
  const requests = () => here.requests.map((one) => one.url()).filter((url) => url.includes("/similar"));
  await part(lane, "more-like").first().click();
  await part(lane, "directions").waitFor();
  const plain = await names();
  expect(new URL(requests()[0] ?? "").searchParams.get("brightness")).toBeNull();
  const slider = part(lane, "brightness");
  await slider.focus();
  await page.keyboard.press("End");
  await expect.poll(() => slider.getAttribute("aria-valuetext")).toBe("brighter, 100%");
  await expect.poll(names).not.toEqual(plain);
  const asked = new URL(requests().at(-1) ?? "").searchParams;
  expect([asked.get("brightness"), asked.get("attack"), asked.get("length")]).toEqual(["1", "0", "0"]);
  const fits = await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
  expect(fits).toBe(true);
  await lane.focus();
  await page.keyboard.press("Control+z");
  await expect.poll(names).toEqual(plain);
  expect(await slider.inputValue()).toBe("0");
});
