/** A Vite plugin: adds gzip copies and the hash of all inputs to the bundle, and limits its size.
 * tests/web/test_bundle.py computes the same hash in Python, so that a stale bundle is noticed without Node. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const NOT_INPUTS = new Set(["dist", "node_modules", "tests"]);
const COMPRESSED = /\.(js|css|html|svg|json)$/;
const BUDGET_BYTES = 250_000;

/** The files below `folder`: paths with forward slashes, sorted by their bytes. */
function filesBelow(folder: string, root = folder): string[] {
  const found = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith(".") || (folder === root && NOT_INPUTS.has(entry.name))) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path, root) : [relative(root, path).split(sep).join("/")];
  });
  return found.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** SHA-256 over path, length and content of every input of the build. */
export function sourcesHash(root: string): string {
  const hash = createHash("sha256");
  for (const name of filesBelow(root)) {
    const bytes = readFileSync(join(root, name));
    hash.update(`${name}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest("hex");
}

/** Write the copies and the hash, print the size, and fail the build if it exceeds the budget. */
export function stamp(root: string): Plugin {
  return {
    name: "stamp",
    apply: "build",
    closeBundle() {
      const dist = join(root, "dist");
      let total = 0;
      for (const name of filesBelow(dist)) {
        if (!COMPRESSED.test(name)) continue;
        const packed = gzipSync(readFileSync(join(dist, name)), { level: 9 });
        if (name !== "index.html") writeFileSync(join(dist, `${name}.gz`), packed);
        total += packed.length;
      }
      writeFileSync(join(dist, "sources.sha256"), `${sourcesHash(root)}\n`);
      const share = `${(total / 1000).toFixed(1)} kB compressed in all, of ${BUDGET_BYTES / 1000} kB allowed`;
      if (total > BUDGET_BYTES) throw new Error(`the bundle is too large: ${share}`);
      process.stdout.write(`bundle: ${share}\n`);
    },
  };
}
