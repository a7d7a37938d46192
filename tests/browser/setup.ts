/** Global setup: one Chromium, files to drop, and a service over a temporary folder, shared by all tests.
 * Prints its duration, so that a slow suite can be told from a slow setup. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { chromium } from "playwright-core";
import type { TestProject } from "vitest/node";
import type { QueryAnswer } from "../../app/web/src/api/types";
import { python, Service, type Settings } from "./service";

declare module "vitest" {
  export interface ProvidedContext {
    browser: string; // WebSocket address of Chromium
    url: string;
    query: string; // id of a stored query for mixture.mp3
    files: string; // the folder that fixtures.py fills
    settings: Settings; // of the service, DATA_DIR included
  }
}

/** Query `path` and return the id of the answer. */
async function storedQuery(url: string, path: string): Promise<string> {
  const form = new FormData();
  form.append("file", new Blob([Uint8Array.from(readFileSync(path))]), basename(path));
  form.append("top_k", "6"); // the page's default
  const answer = await fetch(`${url}/v1/queries`, { method: "POST", body: form });
  if (!answer.ok) throw new Error(await answer.text());
  return ((await answer.json()) as QueryAnswer).id;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "showme-browser-"));
  const began = Date.now();
  const settings: Settings = {
    DATA_DIR: join(folder, "data"),
    DEVICE: "cpu",
    MAX_UPLOAD_BYTES: "2000000",
    MAX_LIBRARY_BYTES: "2500000",
    MAX_DECODED_SECONDS: "60",
  };
  const endings = [async () => rmSync(folder, { recursive: true, force: true })];
  const end = async () => {
    for (const ending of endings.reverse()) await ending();
  };
  try {
    const browser = await chromium.launchServer({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      ignoreDefaultArgs: ["--hide-scrollbars"], // the page reserves space for one
      args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
    });
    endings.push(() => browser.close());
    // Screenshots show the whole default library, which the service enrolls itself.
    const whole = process.env.SHOWME_SCREENSHOTS === "1" ? ["--whole-default-library"] : [];
    await python("tests.browser.fixtures", [folder, ...whole], settings);
    const service = await Service.started(settings);
    endings.push(() => service.kill());
    process.stdout.write(`fixtures and service: ${((Date.now() - began) / 1000).toFixed(0)} s\n`);
    project.provide("browser", browser.wsEndpoint());
    project.provide("url", service.url);
    project.provide("query", await storedQuery(service.url, join(folder, "mixture.mp3")));
    project.provide("files", folder);
    project.provide("settings", settings);
    return end;
  } catch (error) {
    await end();
    throw error;
  }
}
