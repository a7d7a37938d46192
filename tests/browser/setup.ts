/** Once for all tests: a temporary folder with files to drop, and a service over it whose default library is enrolled.
 * What it cost is printed, so that a slow suite can be told from a slow enrollment. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { python, Service, type Settings } from "./service";

declare module "vitest" {
  export interface ProvidedContext {
    url: string;
    files: string; // the folder of fixtures.py
    settings: Settings; // of the service, DATA_DIR included
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), "showme-browser-"));
  const began = Date.now();
  const settings: Settings = {
    DATA_DIR: join(folder, "data"),
    DEVICE: "cpu",
    MAX_UPLOAD_BYTES: "2000000",
    MAX_DECODED_SECONDS: "60",
  };
  try {
    await python("tests.browser.fixtures", [folder], settings);
    const service = await Service.started(settings);
    process.stdout.write(`fixtures and default library: ${((Date.now() - began) / 1000).toFixed(0)} s\n`);
    project.provide("url", service.url);
    project.provide("files", folder);
    project.provide("settings", settings);
    return async () => {
      await service.kill();
      rmSync(folder, { recursive: true, force: true });
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
