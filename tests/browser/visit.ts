/** A visit to the page in a fresh browser context, and the steps that many tests share.
 * The page runs unchanged; an init script records its sounds and its transient messages. */
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
import { expect, inject } from "vitest";
import type { QueryAnswer } from "../../app/web/src/api/types";

export const PATIENCE = 45_000; // milliseconds, for a busy machine

declare global {
  interface Window {
    media: HTMLMediaElement[]; // all that ever played
    gains: GainNode[];
    messages: Set<string>; // all texts that progress bars and toasts ever showed
  }
}

let browser: Promise<Browser> | null = null;
const networks = new WeakMap<Page, CDPSession>();

export const file = (name: string): string => join(inject("files"), name);

export interface Visit {
  page: Page;
  url: string;
  requests: Request[]; // to the API, newest last
  close: () => Promise<void>; // fails if the page threw an error or logged one to its console
}

/** Open the page and wait until it `shows` a part, of itself that of its view; `hash` is its view, `before` sees the empty tab first. */
export async function visit(
  hash = "#/",
  options: BrowserContextOptions & { url?: string; shows?: string; before?: (page: Page) => void } = {},
): Promise<Visit> {
  const view = hash.startsWith("#/library") ? "library" : "tab-query"; // the library view is loaded when it is wanted
  const { url = inject("url"), shows = view, before, ...rest } = options;
  browser ??= chromium.connect(inject("browser"));
  const context = await (await browser).newContext({
    viewport: { width: 1280, height: 860 },
    acceptDownloads: true,
    permissions: ["clipboard-read", "clipboard-write", "microphone"],
    ...rest,
  });
  await context.addInitScript(recordSounds);
  await context.addInitScript(recordMessages);
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
  await part(page, shows).waitFor();
  const close = async () => {
    await context.close();
    expect(faults).toEqual([]);
  };
  return { page, url, requests, close };
}

/** Open the page at the stored answer for mixture.mp3, which spares an upload. */
export async function visitAnswer(options: Parameters<typeof visit>[1] = {}): Promise<Visit> {
  const here = await visit(`#/q/${inject("query")}`, options);
  await answered(here.page);
  return here;
}

function recordSounds(): void {
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

function recordMessages(): void {
  window.messages = new Set();
  const selector = '[data-test="toast"] > span, .progress-text';
  new MutationObserver(() => {
    for (const element of document.querySelectorAll(selector)) window.messages.add(element.textContent ?? "");
  }).observe(document, { subtree: true, childList: true, characterData: true });
}

/** Wait until the page has shown a matching toast or progress text, even if it is gone by now. */
export async function told(page: Page, pattern: RegExp): Promise<void> {
  await page.waitForFunction(
    ({ source, flags }) => [...window.messages].some((text) => new RegExp(source, flags).test(text)),
    { source: pattern.source, flags: pattern.flags },
  );
}

/** Locate elements by their data-test attribute. */
export function part(within: Page | Locator, name: string): Locator {
  return within.locator(`[data-test="${name}"]`);
}

/** Query a track and wait for the answer. */
export async function ask({ page }: Visit, name = "mixture.mp3"): Promise<void> {
  await part(page, "file").first().setInputFiles(file(name));
  await answered(page);
}

/** Wait until no query runs and an answer is shown. */
export async function answered(page: Page): Promise<void> {
  await part(page, "summary").filter({ hasText: /\w/ }).waitFor();
}

/** Perform `action`, which runs a query, and wait until its answer is shown. Returns the request and the answer. */
export async function asking(
  page: Page,
  action: () => Promise<unknown>,
): Promise<{ sent: string; got: QueryAnswer }> {
  const [request] = await Promise.all([
    page.waitForRequest((one) => one.url().endsWith("/v1/queries") && one.method() === "POST"),
    action(),
  ]);
  const response = await request.response(); // of this request, not of one that was on its way before
  expect(response?.status(), await response?.text()).toBe(200);
  const got = (await response?.json()) as QueryAnswer;
  await page.waitForFunction((id) => location.hash.endsWith(id), got.id);
  await answered(page);
  return { sent: request.postData() ?? "", got };
}

export interface Playing {
  src: string;
  time: number; // seconds
}

/** Wait until exactly one sound plays and its time advances. */
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

/** Wait until nothing plays. */
export async function silent(page: Page): Promise<void> {
  await page.waitForFunction(() => window.media.every((one) => one.paused || one.ended));
}

/** Drop files or folders on the page's header, like from a file manager.
 * It never moves: a browser drops nothing on an element that came under the pointer after the last step of the drag. */
export async function drop(page: Page, ...names: string[]): Promise<void> {
  const client = await page.context().newCDPSession(page);
  const data = { items: [], files: names.map(file), dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"] as const)
    await client.send("Input.dispatchDragEvent", { type, x: 640, y: 12, data });
  await client.detach();
}

/** Limit the upload speed (bytes per second), so that a test can act during an upload; 0: no limit. */
export async function uploadSlowly(page: Page, bytesPerSecond: number): Promise<void> {
  const client = networks.get(page) ?? (await page.context().newCDPSession(page));
  networks.set(page, client); // the limit belongs to the session
  await client.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: bytesPerSecond || -1,
  });
}
