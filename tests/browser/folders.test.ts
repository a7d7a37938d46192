/** Folders of the server: one is followed from the library view, what happens in it is seen there, and it can be left. */
import { copyFileSync, mkdirSync, renameSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Service } from "./service";
import { file, part, visit } from "./visit";

let service: Service;
let root: string;

beforeAll(async () => {
  const folder = join(inject("files"), "watched");
  root = join(folder, "samples");
  for (const name of ["Bass", "Lead"]) {
    mkdirSync(join(root, name), { recursive: true });
    copyFileSync(file("other.wav"), join(root, name, `${name}.wav`));
  }
  service = await Service.started({
    DATA_DIR: join(folder, "data"),
    DEVICE: "cpu",
    DEFAULT_LIBRARY: "none",
    SOURCE_ROOTS: folder,
    SETTLE_SECONDS: "0.2",
  });
  await fetch(`${service.url}/v1/libraries`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name: "Mine" }),
  });
});

afterAll(() => service?.kill());

test("a folder of the server is followed, and left with its instruments", async () => {
  const here = await visit("#/library", { url: service.url });
  const { page } = here;
  const names = () => part(page, "instrument-row").locator(".instrument-name").allInnerTexts();

  await part(page, "folder-path").fill(join(root, "nowhere"));
  await part(page, "folder-follow").click();
  await part(page, "folder-fault")
    .filter({ hasText: /does not exist/ })
    .waitFor();

  await part(page, "folder-path").fill(root);
  await page.keyboard.press("Enter");
  await part(page, "watch").filter({ hasText: root }).waitFor();
  await expect.poll(names, { timeout: 60_000 }).toEqual(["Bass", "Lead"]);
  await part(page, "watch")
    .filter({ hasText: /holds what the folder holds/ })
    .waitFor();

  renameSync(join(root, "Bass"), join(root, "Sub"));
  unlinkSync(join(root, "Lead", "Lead.wav"));
  await expect.poll(names, { timeout: 60_000 }).toEqual(["Sub"]);

  await part(page, "watch-stop").click();
  await part(page, "watch").waitFor({ state: "detached" });
  expect(await names()).toEqual(["Sub"]);

  await part(page, "folder-path").fill(join(root, "Sub", "Bass.wav"));
  await part(page, "folder-add").click();
  await part(page, "job").filter({ hasText: "1 added" }).waitFor();
  await expect.poll(names).toHaveLength(2);
  await here.close();
});
