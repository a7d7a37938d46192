/** The history by track: one entry with its variants, a name, a search, and a deletion that can be taken back. */
import { expect, test } from "vitest";
import { asking, part, told, visitAnswer } from "./visit";

test("a track is one entry with its variants; it is renamed, found, deleted and brought back", async () => {
  const here = await visitAnswer();
  const { page } = here;
  await asking(page, () => part(page, "family-select").selectOption("brass"));
  const entry = part(page, "history-track").first();
  const open = () => part(page, "history-open").click();
  await open();
  await part(entry, "history-variants").locator("summary").click();
  await expect
    .poll(() => part(entry, "history-variant").first().innerText())
    .toBe("whole track · TimGM6mb · only brass");
  await part(entry, "history-rename").click();
  await part(page, "name-edit").fill("Rough mix");
  await part(page, "name-edit").press("Enter");
  await expect.poll(() => part(entry, "history-row").innerText()).toContain("Rough mix");
  await expect.poll(() => part(page, "source-name").innerText()).toBe("Rough mix");
  await part(page, "history-search").fill("mix rough");
  await expect.poll(() => part(page, "history-track").count()).toBe(1);
  await part(entry, "history-delete").click();
  await told(page, /^“Rough mix” was deleted from the history/);
  await expect.poll(() => part(page, "history-track").count()).toBe(0);
  await page.getByRole("button", { name: "Close" }).click();
  await page.keyboard.press("Control+z");
  await told(page, /^Undone: “Rough mix” was deleted from the history/);
  await open();
  await expect.poll(() => part(entry, "history-row").innerText()).toContain("Rough mix");
  await part(entry, "history-variant")
    .last()
    .evaluate((link) => (link as HTMLElement).click());
  await expect.poll(() => page.locator('[data-test="family-select"]').first().inputValue()).toBe("");
  await open();
  await part(entry, "history-rename").click();
  await part(page, "name-edit").fill("mixture.mp3"); // other tests look for it
  await part(page, "name-edit").press("Enter");
  await expect.poll(() => part(entry, "history-row").innerText()).toContain("mixture.mp3");
  await here.close();
});
