/** Vitest configuration of the browser tests in tests/browser/.
 * They lie outside this folder, so aliases resolve the packages that they use. */
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
    reporters: ["default", resolve(root, "tests/browser/summaryReporter.ts")],
    fileParallelism: false, // the tests share one service
    isolate: false, // and one connection to the browser
    expect: { poll: { timeout: 0.75 * MINUTE, interval: 50 } }, // the page answers late on a busy machine
    testTimeout: 3 * MINUTE,
    hookTimeout: 12 * MINUTE,
    teardownTimeout: MINUTE,
  },
});
