/** Runs a real `showme serve` on a free port, with its own data folder; tests can kill and restart it.
 * Python and the command come from SHOWME_BIN (the Makefile's virtual environment). */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "../..");
const BIN = resolve(ROOT, process.env.SHOWME_BIN ?? ".venv/bin");
const START_SECONDS = 600; // may include the enrollment of the default library

export type Settings = Record<string, string>;

/** The environment of our Python processes: our sources, none of the developer's settings, and one thread for torch.
 * On a busy machine, threads that wait for each other make torch several times slower. */
function environment(settings: Settings): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("SHOWME_"));
  const ours = Object.entries(settings).map(([name, value]) => [`SHOWME_${name}`, value]);
  return Object.fromEntries([...inherited, ...ours, ["PYTHONPATH", ROOT], ["OMP_NUM_THREADS", "1"]]);
}

/** Run one of our Python modules and wait for it. */
export function python(module: string, args: string[], settings: Settings): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(join(BIN, "python"), ["-m", module, ...args], {
      cwd: ROOT,
      env: environment(settings),
      stdio: ["ignore", "ignore", "inherit"],
    });
    child.on("error", failed);
    child.on("exit", (code) => (code === 0 ? done() : failed(new Error(`${module} ended with ${code}`))));
  });
}

/** Run the command `showme` and return what it prints. */
export function showme(args: string[], settings: Settings): string {
  return execFileSync(join(BIN, "showme"), args, {
    cwd: ROOT,
    env: environment(settings),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => done(typeof address === "object" && address ? address.port : 0));
    });
  });
}

export class Service {
  private child: ChildProcess | null = null;

  private constructor(
    private readonly settings: Settings,
    readonly port: number,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Start a service on a free port and wait until it is ready. */
  static async started(settings: Settings): Promise<Service> {
    const port = await freePort();
    const service = new Service({ ...settings, HOST: "127.0.0.1", PORT: String(port) }, port);
    await service.start();
    return service;
  }

  /** Start, or restart, with the same port and data folder. */
  async start(): Promise<void> {
    const log = openSync(join(this.settings.DATA_DIR ?? ".", "..", `serve-${this.port}.log`), "a");
    const child = spawn(join(BIN, "showme"), ["serve"], {
      cwd: ROOT,
      env: environment(this.settings),
      stdio: ["ignore", log, log],
    });
    this.child = child;
    let fault: Error | null = null;
    child.on("error", (error) => {
      fault = error;
    });
    try {
      await until(() => {
        if (fault) throw fault;
        if (child.exitCode !== null) throw new Error(`showme serve ended with ${child.exitCode}`);
        return this.answers();
      }, START_SECONDS);
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** Start unless it is running. */
  async ensure(): Promise<void> {
    if (!this.runs) await this.start();
  }

  private get runs(): boolean {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Kill without warning, like a power cut. */
  async kill(): Promise<void> {
    const child = this.child;
    if (!child || !this.runs) return;
    await new Promise<void>((gone) => {
      child.on("exit", () => gone());
      child.kill("SIGKILL");
    });
  }

  private async answers(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/readyz`)).ok;
    } catch {
      return false;
    }
  }
}

/** Wait for a condition outside the page. */
export async function until(condition: () => boolean | Promise<boolean>, seconds: number): Promise<void> {
  const deadline = Date.now() + 1000 * seconds;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not true within ${seconds} s`);
    await new Promise((go) => setTimeout(go, 100));
  }
}
