/** A library that another encoder made: it says so, and one button updates it, in the library view and after a query. */
import { readFileSync } from "node:fs";
import { afterEach, expect, inject, test } from "vitest";
import type { Job, Library } from "../../app/web/src/api/types";
import { python, until } from "./service";
import { answered, file, part, type Visit, visit } from "./visit";

let here: Visit;

afterEach(() => here.close());

async function api<T>(method: string, path: string, body?: BodyInit, type?: string): Promise<T> {
  const headers = type ? { "Content-Type": type } : {};
  const answer = await fetch(inject("url") + path, { method, headers, ...(body ? { body } : {}) });
  if (!answer.ok) throw new Error(await answer.text());
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/** Create a library of four instruments. */
async function filledLibrary(name: string): Promise<Library> {
  const made = await api<Library>("POST", "/v1/libraries", JSON.stringify({ name }), "application/json");
  const form = new FormData();
  form.append("files", new Blob([Uint8Array.from(readFileSync(file("Zipped.zip")))]), "Zipped.zip");
  const job = await api<Job>("POST", `/v1/libraries/${made.id}/instruments`, form);
  await until(async () => (await api<Job>("GET", `/v1/jobs/${job.id}`)).state === "done", 60);
  return made;
}

test("a stale library is updated in the library view, and where a query found it stale", async () => {
  const { id } = await filledLibrary("Before the upgrade");
  const makeStale = () => python("tests.browser.make_stale", [id], inject("settings"));
  await makeStale();
  here = await visit(`#/library/${id}`);
  const { page } = here;
  const row = page.locator(`[data-test="library-row"][data-id="${id}"]`);
  await part(row, "row-stale").waitFor();
  expect(await part(page, "stale").innerText()).toMatch(/cannot be searched until updated/);
  await expect.poll(() => part(page, "instrument-stale").count()).toBe(4);
  await part(page, "update").click();
  await part(page, "stale").waitFor({ state: "detached" });
  await part(page, "updating").waitFor({ state: "detached" });
  await expect.poll(() => part(page, "instrument-stale").count()).toBe(0);
  await part(page, "instrument-row").first().waitFor();

  await makeStale();
  await part(page, "tab-query").click();
  await part(page, "file").first().setInputFiles(file("other.wav"));
  await part(page, "problem").filter({ hasText: "another encoder" }).waitFor();
  await part(part(page, "problem"), "update").click();
  await answered(page);
  expect(await api<Library>("GET", `/v1/libraries/${id}`)).toMatchObject({ state: "ready", num_stale: 0 });
  await api("DELETE", `/v1/libraries/${id}`);
});
