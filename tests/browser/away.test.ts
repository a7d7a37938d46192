/** The service goes away in the middle, is busy, or stands behind a proxy that limits: the page waits and loses nothing. */
import { cpSync } from "node:fs";
import { createServer, request as forward, type Server } from "node:http";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { Service } from "./service";
import { answered, ask, drop, file, PATIENCE, part, uploadSlowly, type Visit, visit } from "./visit";

const RESTART = 4 * PATIENCE; // a service needs some seconds to start, on a busy machine many

let service: Service;
let here: Visit;

beforeAll(async () => {
  const folder = join(inject("files"), "away");
  cpSync(inject("settings").DATA_DIR ?? "", folder, { recursive: true }); // the default library, enrolled already
  service = await Service.started({ ...inject("settings"), DATA_DIR: folder, MAX_WAITING_QUERIES: "1" });
});

afterAll(() => service?.kill());

beforeEach(async () => {
  await service.ensure(); // a test that failed may have left it dead
  here = await visit("#/", { url: service.url });
});

afterEach(async () => {
  await here.close();
});

const banner = (state: string) => part(here.page, "banner").and(here.page.locator(`[data-state="${state}"]`));

test("a service that dies during a query is waited for: the answer stays, the question is asked again", async () => {
  const { page } = here;
  await ask(here);
  const before = await page.locator(".hit-name").allInnerTexts();
  const address = page.url();
  await service.kill();
  await part(page, "family-select").selectOption("guitar");
  await part(page, "progress")
    .filter({ hasText: /server is back/ })
    .waitFor();
  await banner("away").waitFor();
  expect(await page.locator(".hit-name").allInnerTexts()).toEqual(before);
  await service.start();
  await banner("away").waitFor({ state: "detached", timeout: RESTART });
  await page.locator('.lane .chip[data-family="guitar"]').first().waitFor({ timeout: RESTART });
  await answered(page);
  expect(page.url()).not.toBe(address);
  const earlier = await visit(new URL(address).hash, { url: service.url });
  await part(earlier.page, "lane").first().waitFor(); // the answer from before the crash
  expect(await earlier.page.locator(".hit-name").allInnerTexts()).toEqual(before);
  await earlier.close();
});

test("an upload that the crash cuts off is sent again when the service is back", async () => {
  const { page } = here;
  await uploadSlowly(page, 12_000);
  await part(page, "file").first().setInputFiles(file("mixture.mp3"));
  await part(page, "progress")
    .filter({ hasText: /Sending mixture.mp3: \d+%/ })
    .waitFor();
  await service.kill();
  await part(page, "progress")
    .filter({ hasText: /server is back/ })
    .waitFor();
  await uploadSlowly(page, 0);
  await service.start();
  await part(page, "lane").first().waitFor({ timeout: RESTART });
});

test("an enrollment that the crash cuts off tells so, and trying again brings all of it once", async () => {
  const { page } = here;
  await part(page, "tab-library").click();
  await part(page, "instrument-row").first().waitFor();
  await drop(page, "Kit");
  await part(page, "add").click();
  const job = part(page, "job");
  await job.and(page.locator('[data-state="running"], [data-state="done"]')).waitFor();
  await service.kill();
  await banner("away")
    .or(job.and(page.locator('[data-state="done"]')))
    .first()
    .waitFor({ timeout: RESTART });
  await service.start();
  const over = job.and(page.locator('[data-state="failed"], [data-state="cancelled"], [data-state="done"]'));
  await over.waitFor({ timeout: RESTART });
  if ((await over.getAttribute("data-state")) !== "done") await part(over, "try-again").click();
  await job.and(page.locator('[data-state="done"]')).waitFor({ timeout: RESTART });
  await part(page, "instrument-row").filter({ hasText: "Low Bass" }).waitFor();
  expect(await part(page, "instrument-row").count()).toBe(4);
});

test("a busy service (503) is asked again until it has time", async () => {
  const { page } = here;
  const seen = new Set<number>();
  page.on("response", (one) => one.request().method() === "POST" && seen.add(one.status()));
  let busy = true;
  const crowd = Array.from({ length: 4 }, async () => {
    const form = new FormData();
    form.append("file", new Blob([await readFixture("mixture.mp3")]), "mixture.mp3");
    form.append("top_k", "100");
    while (busy) await fetch(`${service.url}/v1/queries`, { method: "POST", body: form });
  });
  await part(page, "file").first().setInputFiles(file("mixture.mp3"));
  try {
    await expect.poll(() => seen.has(503) || seen.has(200), { timeout: PATIENCE, interval: 20 }).toBe(true);
    if (seen.has(503))
      await part(page, "progress")
        .filter({ hasText: /trying again in/ })
        .waitFor();
  } finally {
    busy = false;
  }
  await Promise.all(crowd);
  await part(page, "lane").first().waitFor();
  expect(seen.has(503)).toBe(true);
  expect(seen.has(200)).toBe(true);
});

test("a proxy that limits the rate (429) is obeyed, and one that allows less (413) is told in a sentence", async () => {
  const refusals: number[] = [];
  const proxy = await proxied(service.port, () => refusals.shift());
  const there = await visit("#/", { url: proxy.url });
  await ask(there);
  refusals.push(429);
  const limited = there.page.waitForResponse((one) => one.status() === 429);
  await part(there.page, "family-select").selectOption("bass");
  await part(there.page, "progress")
    .filter({ hasText: /trying again in/ })
    .waitFor();
  await limited;
  await there.page.locator('.lane .chip[data-family="bass"]').first().waitFor();
  const before = await there.page.locator(".hit-name").allInnerTexts();
  refusals.push(413);
  await part(there.page, "file").first().setInputFiles(file("other.wav"));
  await part(there.page, "problem").filter({ hasText: "413" }).waitFor();
  expect(await there.page.locator(".hit-name").allInnerTexts()).toEqual(before);
  await there.close();
  proxy.server.close();
});

async function readFixture(name: string): Promise<ArrayBuffer> {
  const { readFile } = await import("node:fs/promises");
  return Uint8Array.from(await readFile(file(name))).buffer;
}

/** A reverse proxy that answers a POST itself, with what `refusal` says, and passes on everything else. */
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
