/** The first minutes: a demo track at hand, and on a phone no more matches than one looks at. */
import { expect, test } from "vitest";
import { answered, part, visit, visitAnswer } from "./visit";

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const FOLDED = 2; // matches of a lane that a phone shows

test("one click asks about the demo track, which is not loaded before", async () => {
  const loaded: string[] = [];
  const here = await visit("#/", {
    before: (page) => page.on("request", (request) => loaded.push(new URL(request.url()).pathname)),
  });
  const { page } = here;
  const demos = () => loaded.filter((path) => path.endsWith(".mp3"));
  await part(page, "demo").waitFor();
  expect(demos()).toEqual([]);
  await part(page, "demo").click();
  await answered(page);
  expect(demos()).toHaveLength(1);
  await expect.poll(() => part(page, "source-name").innerText()).toBe("Demo track.mp3");
  await expect.poll(() => part(page, "lane").count()).toBeGreaterThanOrEqual(2);
  await here.close();
});

test("a phone shows two matches of each lane, and the rest when asked", async () => {
  const here = await visitAnswer(PHONE);
  const { page } = here;
  const lane = part(page, "lane").first();
  const hits = part(lane, "hit");
  await expect.poll(() => hits.count()).toBe(FOLDED);
  const fold = part(lane, "fold");
  await expect.poll(() => fold.innerText()).toBe("4 more matches");
  await fold.tap();
  await expect.poll(() => hits.count()).toBe(6);
  expect(await fold.getAttribute("aria-expanded")).toBe("true");
  await part(hits.last(), "choose").check();
  await fold.tap();
  await expect.poll(() => fold.innerText()).toBe("4 more matches, 1 chosen");
  await page.setViewportSize({ width: 1280, height: 860 });
  await expect.poll(() => hits.count()).toBe(6);
  await expect.poll(() => fold.count()).toBe(0);
  await here.close();
});
