/** A service that needs keys: the page asks for one, keeps it nowhere, and forgets all when the session ends. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Service, type Settings, showme } from "./service";
import { part, visit } from "./visit";

let service: Service;
let settings: Settings;
let key: string;
let id: string;

beforeAll(async () => {
  const folder = join(inject("files"), "keyed");
  mkdirSync(folder);
  settings = { DATA_DIR: join(folder, "data"), DEVICE: "cpu", DEFAULT_LIBRARY: "none", REQUIRE_KEYS: "true" };
  key = showme(["keys", "create", "studio", "--scope", "write"], settings);
  id = /k_\w+/.exec(showme(["keys", "list"], settings))?.[0] ?? "";
  service = await Service.started(settings);
});

afterAll(() => service?.kill());

test("a key opens the page, and signing out or a revoked key closes it", async () => {
  expect(key).toMatch(/^showme_[\w-]{43}$/);
  const here = await visit("#/library", { url: service.url, shows: "sign-in" });
  const { page } = here;
  expect(await part(page, "tab-library").count()).toBe(0);

  await part(page, "key").fill("showme_wrong");
  await part(page, "sign-in-send").click();
  await part(page, "sign-in-words")
    .filter({ hasText: /not known here/ })
    .waitFor();

  await part(page, "key").fill(key);
  await page.keyboard.press("Enter");
  await part(page, "tab-library").waitFor();
  const seen = await page.evaluate(() => [document.cookie, JSON.stringify(localStorage), location.href]);
  expect(seen.join()).not.toContain("showme_");
  await page.reload();
  await part(page, "empty").waitFor();

  await part(page, "sign-out").click();
  await part(page, "sign-in").waitFor();
  await part(page, "key").fill(key);
  await page.keyboard.press("Enter");
  await part(page, "sign-out").waitFor();
  showme(["keys", "revoke", id], settings);
  await part(page, "tab-query").click();
  await page.reload();
  await part(page, "sign-in").waitFor();
  await here.close();
});
