/** How the browser tests in tests/browser/ at the repository's root are run: one after the other, over one service.
 * They lie outside this folder, so the packages they use are named here. */
import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

const root = resolve(import.meta.dirname, "../../..");
const MINUTE = 60_000;

export default defineConfig({
  root,
  resolve: {
    alias: [
      {
        find: /^(axe-core|playwright-core)$/,
        replacement: resolve(import.meta.dirname, "../node_modules/$1"),
      },
    ],
  },
  test: {
    dir: resolve(root, "tests/browser"),
    include: ["**/*.test.ts"],
    globalSetup: resolve(root, "tests/browser/setup.ts"),
    reporters: ["default", resolve(root, "tests/browser/closing.ts")],
    fileParallelism: false,
    testTimeout: 3 * MINUTE,
    hookTimeout: 12 * MINUTE,
    teardownTimeout: MINUTE,
  },
});
