/** A visit to the page in a fresh browser context, and what the tests do on it again and again.
 * The page runs as it is: the hooks below only watch its media elements and gain nodes. */
import { join } from "node:path";
import {
  type Browser,
  type BrowserContextOptions,
  type CDPSession,
  chromium,
  type Locator,
  type Page,
  type Request,
} from "playwright-core";
import { afterAll, expect, inject } from "vitest";

export const PATIENCE = 45_000; // milliseconds: this machine may be busy with other things

declare global {
  interface Window {
    media: HTMLMediaElement[]; // all that ever played
    gains: GainNode[];
  }
}

let browser: Browser | null = null;
const networks = new WeakMap<Page, CDPSession>();

async function chrome(): Promise<Browser> {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    ignoreDefaultArgs: ["--hide-scrollbars"], // the page keeps a place for one
    args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
  });
  return browser;
}

afterAll(async () => {
  await browser?.close();
  browser = null;
});

export const file = (name: string): string => join(inject("files"), name);

export interface Visit {
  page: Page;
  url: string;
  requests: Request[]; // to the API, newest last
  close: () => Promise<void>; // fails if the page threw anything, or wrote an error to its console
}

/** Open the page; `hash` is its view, `before` sees the empty tab first. */
export async function visit(
  hash = "#/",
  options: BrowserContextOptions & { url?: string; before?: (page: Page) => void } = {},
): Promise<Visit> {
  const { url = inject("url"), before, ...rest } = options;
  const context = await (await chrome()).newContext({
    viewport: { width: 1280, height: 860 },
    acceptDownloads: true,
    permissions: ["clipboard-read", "clipboard-write", "microphone"],
    ...rest,
  });
  await context.addInitScript(watchSound);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const requests: Request[] = [];
  const faults: string[] = [];
  page.on("request", (request) => request.url().includes("/v1/") && requests.push(request));
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    const known = /Failed to load resource/.test(message.text()); // the browser's own note of a 4xx
    if (message.type() === "error" && !known) faults.push(message.text());
  });
  before?.(page);
  await page.goto(`${url}/${hash}`);
  await part(page, "tab-query").waitFor();
  const close = async () => {
    await context.close();
    expect(faults).toEqual([]);
  };
  return { page, url, requests, close };
}

function watchSound(): void {
  window.media = [];
  window.gains = [];
  const { play } = HTMLMediaElement.prototype;
  HTMLMediaElement.prototype.play = function () {
    if (!window.media.includes(this)) window.media.push(this);
    return play.call(this);
  };
  const { createGain } = AudioContext.prototype;
  AudioContext.prototype.createGain = function () {
    const gain = createGain.call(this);
    window.gains.push(gain);
    return gain;
  };
}

/** Elements by their data-test attribute. */
export function part(within: Page | Locator, name: string): Locator {
  return within.locator(`[data-test="${name}"]`);
}

/** Give the query view a track and wait for its answer. */
export async function ask({ page }: Visit, name = "mixture.mp3"): Promise<void> {
  await part(page, "file").first().setInputFiles(file(name));
  await answered(page);
}

/** Wait until no query runs and an answer is there. */
export async function answered(page: Page): Promise<void> {
  await part(page, "summary").filter({ hasText: /\w/ }).waitFor();
}

/** Do `deed` and give back the body of the answer to the query that it makes. */
export async function asking<T>(page: Page, deed: () => Promise<unknown>): Promise<{ sent: string; got: T }> {
  const [response] = await Promise.all([
    page.waitForResponse((one) => one.url().endsWith("/v1/queries") && one.request().method() === "POST"),
    deed(),
  ]);
  expect(response.status(), await response.text()).toBe(200);
  const got = (await response.json()) as T;
  await answered(page);
  return { sent: response.request().postData() ?? "", got };
}

export interface Playing {
  src: string;
  time: number; // seconds
}

/** The one sound that is heard, once its time advances; fails when two are heard at once. */
export async function heard(page: Page, kind: "preview" | "reference"): Promise<Playing> {
  const isPreview = kind === "preview";
  const handle = await page.waitForFunction(
    (preview) => {
      const playing = window.media.filter((one) => !one.paused && one.currentTime > 0.05);
      const [one] = playing;
      if (playing.length !== 1 || !one || one.src.includes("/preview") !== preview) return null;
      return { src: one.src, time: one.currentTime };
    },
    isPreview,
    { timeout: PATIENCE },
  );
  const first = (await handle.jsonValue()) as Playing;
  await page.waitForFunction(
    ({ src, time }) => window.media.some((one) => one.src === src && one.currentTime > time),
    first,
    { timeout: PATIENCE },
  );
  return first;
}

export async function silent(page: Page): Promise<void> {
  await page.waitForFunction(() => window.media.every((one) => one.paused || one.ended));
}

/** Drop files or folders of the fixtures anywhere on the page, as a person would from the file manager. */
export async function drop(page: Page, ...names: string[]): Promise<void> {
  const client = await page.context().newCDPSession(page);
  const data = { items: [], files: names.map(file), dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const)
    await client.send("Input.dispatchDragEvent", { type, x: 640, y: 480, data });
  await client.detach();
}

/** Let uploads take their time from now on (bytes a second), so that something can happen meanwhile; 0: as fast as ever. */
export async function uploadSlowly(page: Page, bytesPerSecond: number): Promise<void> {
  const client = networks.get(page) ?? (await page.context().newCDPSession(page));
  networks.set(page, client); // the limit is the session's own
  await client.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSecond || -1,
  });
}
