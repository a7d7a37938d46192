/** Prints the number of passed tests as the last line of a run. */
import type { Reporter, TestModule } from "vitest/node";

export default class SummaryReporter implements Reporter {
  private readonly began = Date.now();

  onTestRunEnd(modules: readonly TestModule[]): void {
    const states = modules.flatMap((module) =>
      [...module.children.allTests()].map((one) => one.result().state),
    );
    const counts = (["passed", "failed", "skipped"] as const)
      .map((state) => ({ state, count: states.filter((one) => one === state).length }))
      .filter(({ state, count }) => state === "passed" || count > 0)
      .map(({ state, count }) => `${count} ${state}`);
    const seconds = Math.round((Date.now() - this.began) / 1000);
    process.stdout.write(`browser tests: ${counts.join(", ")} in ${seconds} s\n`);
  }
}
