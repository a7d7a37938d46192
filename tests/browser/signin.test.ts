/** A service that needs keys: the page asks for one, keeps it nowhere, forgets all when the session ends, and offers no more
 * than the key allows. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { Service, type Settings, showme, until } from "./service";
import { file, part, visit } from "./visit";

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

/** Share a library of one instrument that belongs to a new key. */
async function sharedLibrary(): Promise<void> {
  const owner = showme(["keys", "create", "owner", "--scope", "write"], settings);
  const call = async (
    path: string,
    how: RequestInit,
    headers = {},
  ): Promise<{ id: string; state: string }> => {
    const answer = await fetch(`${service.url}/v1/${path}`, {
      ...how,
      headers: { Authorization: `Bearer ${owner}`, ...headers },
    });
    expect(answer.ok).toBe(true);
    return answer.json();
  };
  const json = { "Content-Type": "application/json" };
  const library = await call("libraries", { method: "POST", body: '{"name": "Shared"}' }, json);
  await call(`libraries/${library.id}`, { method: "PATCH", body: '{"shared": true}' }, json);
  const body = new FormData();
  body.append("files", new Blob([readFileSync(file("other.wav"))]), "Other.wav");
  const job = await call(`libraries/${library.id}/instruments`, { method: "POST", body });
  await until(async () => (await call(`jobs/${job.id}`, {})).state === "done", 60);
}

test("what a key may only read has no tools to change it", async () => {
  await sharedLibrary();
  const reader = showme(["keys", "create", "reader", "--scope", "read"], settings);
  const here = await visit("#/library", { url: service.url, shows: "sign-in" });
  const { page } = here;
  await part(page, "key").fill(reader);
  await page.keyboard.press("Enter");
  await part(page, "instrument-row").waitFor();
  await part(page, "instrument-row").locator(".play").focus();
  for (const name of [
    "rename",
    "delete",
    "family",
    "rename-library",
    "delete-library",
    "new-library",
    "folder-input",
  ])
    expect([name, await part(page, name).count()]).toEqual([name, 0]);
  await page.keyboard.press("Delete");
  await page.keyboard.press("F2");
  await part(page, "instrument-row").locator(".instrument-name").dblclick();
  expect(await part(page, "instrument-row").locator(".instrument-name").count()).toBe(1);
  await here.close();
});
