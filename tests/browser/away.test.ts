/** The service crashes, is busy, or is behind a proxy with limits: the page waits and loses nothing. */
import { cpSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, request as forward, type Server } from "node:http";
import { join } from "node:path";
import type { Page, Response } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { Service } from "./service";
import { answered, ask, drop, file, PATIENCE, part, told, uploadSlowly, type Visit, visit } from "./visit";

const RESTART = 4 * PATIENCE; // a service takes seconds to start, on a busy machine many

const CUT_AT = 8 * 1024 * 1024; // the first piece of a large upload (api/resumable.ts)

let service: Service;
let here: Visit;

beforeAll(async () => {
  const folder = join(inject("files"), "away");
  cpSync(inject("settings").DATA_DIR ?? "", folder, { recursive: true }); // with the enrolled default library
  service = await Service.started({
    ...inject("settings"),
    DATA_DIR: folder,
    MAX_WAITING_QUERIES: "1",
    MAX_UPLOAD_BYTES: "100000000", // also of a zip that the page packs
    MAX_LIBRARY_BYTES: "100000000",
    JOB_LEASE_SECONDS: "20",
  });
});

afterAll(() => service?.kill());

beforeEach(async () => {
  await service.ensure(); // a failed test may have killed it
  here = await visit("#/", { url: service.url });
});

afterEach(async () => {
  await here.close();
});

const hitNames = (page: Page) => page.locator(".hit-name").allInnerTexts();
const banner = (state: string) => part(here.page, "banner").and(here.page.locator(`[data-state="${state}"]`));

test("after a crash, a running query, an upload and an enrollment continue without loss", async () => {
  const { page } = here;
  await ask(here);
  const before = await hitNames(page);
  const address = page.url();
  const enrolling = await startEnrollment();
  const uploading = await startUpload();

  await service.kill();
  await part(page, "family-select").selectOption("guitar");
  await told(page, /server is back/);
  await told(uploading.page, /server is back/);
  await banner("away").waitFor();
  await expect.poll(() => hitNames(page)).toEqual(before);
  await uploadSlowly(uploading.page, 0);
  await service.start();

  await banner("away").waitFor({ state: "detached", timeout: RESTART });
  await page.locator('.lane .chip[data-family="guitar"]').first().waitFor({ timeout: RESTART });
  await answered(page);
  expect(page.url()).not.toBe(address);
  const earlier = await visit(new URL(address).hash, { url: service.url });
  await part(earlier.page, "lane").first().waitFor(); // the answer from before the crash
  await expect.poll(() => hitNames(earlier.page)).toEqual(before);

  await part(uploading.page, "lane").first().waitFor({ timeout: RESTART });

  const job = (state: string) => enrolling.page.locator(`[data-test="job"][data-state="${state}"]`);
  await job("done").waitFor({ timeout: RESTART }); // both jobs have gone on by themselves
  await part(enrolling.page, "instrument-row").filter({ hasText: "Low Bass" }).waitFor();
  await expect.poll(() => part(enrolling.page, "instrument-row").count()).toBe(4);

  for (const visited of [earlier, uploading, enrolling]) await visited.close();
});

/** A visit in the middle of an upload. */
async function startUpload(): Promise<Visit> {
  const there = await visit("#/", { url: service.url });
  await uploadSlowly(there.page, 4000);
  await part(there.page, "file").first().setInputFiles(file("mixture.mp3"));
  await told(there.page, /Sending mixture.mp3: \d+%/);
  return there;
}

/** A visit with a job that waits behind a long one, so that it cannot end before the crash. */
async function startEnrollment(): Promise<Visit> {
  const library = await posted<{ id: string }>("/v1/libraries", JSON.stringify({ name: "Many" }), {
    "Content-Type": "application/json",
  });
  const form = new FormData();
  for (const name of (await readdir(file("Many"))).slice(0, 600))
    form.append("files", await fixture(`Many/${name}`), name);
  await posted(`/v1/libraries/${library.id}/instruments`, form);
  const there = await visit("#/library", { url: service.url });
  await part(there.page, "instrument-row").first().waitFor();
  await drop(there.page, "Kit");
  await part(there.page, "add").click();
  await told(there.page, /Waiting in the queue/);
  return there;
}

test("a large upload that is cut off at 60 % goes on after a reload, with the same file", async () => {
  const { page } = here;
  const path = join(inject("files"), "Long Tone.wav");
  await writeFile(path, longTone(CUT_AT / 0.605));
  const job = (state: string) => page.locator(`[data-test="job"][data-state="${state}"]`);
  const add = async () => {
    await part(page, "files-input").setInputFiles(path);
    await part(page, "add").click();
  };
  await page.goto(`${service.url}/#/library`);
  await part(page, "instrument-row").first().waitFor();
  let pieces = 0;
  await page.route("**/v1/uploads/*", (route) =>
    route.request().method() === "PATCH" && ++pieces > 1 ? route.abort() : route.fallback(),
  );
  await add();
  await job("failed").waitFor({ timeout: RESTART });

  await page.unroute("**/v1/uploads/*");
  await page.reload();
  const rest = part(page, "unfinished").filter({ hasText: /Long Tone.wav.*60% uploaded/s });
  await rest.waitFor();
  const offsets: (string | undefined)[] = [];
  page.on("request", (one) => {
    if (one.method() === "PATCH") offsets.push(one.headers()["upload-offset"]);
  });
  await add();
  await job("done").waitFor({ timeout: RESTART });
  expect(offsets).toEqual([String(CUT_AT)]);
  await rest.waitFor({ state: "detached" });
});

/** A mono wav of a sawtooth at 110 Hz, of about so many bytes. */
function longTone(bytes: number): Buffer {
  const rate = 44_100;
  const wav = Buffer.alloc(44 + 2 * Math.floor(bytes / 2));
  wav.write("RIFF");
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write("WAVEfmt ", 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(rate, 24);
  wav.writeUInt32LE(2 * rate, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write("data", 36);
  wav.writeUInt32LE(wav.length - 44, 40);
  for (let at = 44; at < wav.length; at += 2)
    wav.writeInt16LE(Math.round((8000 * (((at / 2) * 110) % rate)) / rate), at);
  return wav;
}

test("a busy service (503) is asked again until it has time", async () => {
  const { page } = here;
  let busy = true;
  const crowd = Array.from({ length: 4 }, async () => {
    const form = new FormData();
    form.append("file", await fixture("mixture.mp3"), "mixture.mp3");
    form.append("top_k", "100");
    while (busy) await fetch(`${service.url}/v1/queries`, { method: "POST", body: form });
  });
  try {
    while ((await uploaded(page)).status() !== 503) await answered(page); // it found a gap in the crowd
    await told(page, /trying again in/);
  } finally {
    busy = false;
  }
  await Promise.all(crowd);
  await answered(page);
  await part(page, "lane").first().waitFor();
});

/** Give the page a track; returns the response to its query. */
async function uploaded(page: Page): Promise<Response> {
  const response = page.waitForResponse((one) => one.request().method() === "POST");
  await part(page, "file").first().setInputFiles(file("mixture.mp3"));
  return response;
}

test("a rate limit (429) is obeyed, and a size limit (413) becomes a sentence", async () => {
  const refusals: number[] = [];
  const proxy = await proxied(service.port, () => refusals.shift());
  const there = await visit("#/", { url: proxy.url });
  await ask(there);
  refusals.push(429);
  const limited = there.page.waitForResponse((one) => one.status() === 429);
  await part(there.page, "family-select").selectOption("bass");
  await limited;
  await told(there.page, /trying again in/);
  await there.page.locator('.lane .chip[data-family="bass"]').first().waitFor();
  const before = await hitNames(there.page);
  refusals.push(413);
  await part(there.page, "file").first().setInputFiles(file("other.wav"));
  await part(there.page, "problem").filter({ hasText: "413" }).waitFor();
  await expect.poll(() => hitNames(there.page)).toEqual(before);
  await there.close();
  proxy.server.close();
});

async function fixture(name: string): Promise<Blob> {
  return new Blob([Uint8Array.from(await readFile(file(name)))]);
}

/** POST to the service, beside the page. */
async function posted<T>(path: string, body: BodyInit, headers: Record<string, string> = {}): Promise<T> {
  const answer = await fetch(service.url + path, { method: "POST", body, headers });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** A reverse proxy that answers a POST with the status that `refusal` returns, and forwards everything else. */
function proxied(port: number, refusal: () => number | undefined): Promise<{ url: string; server: Server }> {
  const server = createServer((incoming, outgoing) => {
    const status = incoming.method === "POST" ? refusal() : undefined;
    if (status) {
      incoming.resume();
      outgoing.writeHead(status, { "Retry-After": "2", "Content-Type": "text/html" }).end("<h1>No</h1>");
      return;
    }
    const { method, url, headers } = incoming;
    const onward = forward({ port, method, path: url, headers, host: "127.0.0.1" }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  return new Promise((done) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const at = typeof address === "object" && address ? address.port : 0;
      done({ url: `http://127.0.0.1:${at}`, server });
    }),
  );
}
