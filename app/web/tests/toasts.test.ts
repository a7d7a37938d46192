/** The undo stack: the order of steps, also of those whose action is still under way. */
import { expect, test } from "vitest";
import { beforeUndo, offerUndo, undoLast } from "../src/state/toasts";

test("undo waits for an action under way and undoes it, not the one before", async () => {
  const undone: string[] = [];
  offerUndo("starred", () => undone.push("starred"), true);
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const action = beforeUndo(answered.then(() => offerUndo("untagged", () => undone.push("untagged"), true)));
  const undoing = undoLast();
  await Promise.resolve();
  expect(undone).toEqual([]);
  answer();
  await Promise.all([action, undoing]);
  expect(undone).toEqual(["untagged"]);
  await undoLast();
  expect(undone).toEqual(["untagged", "starred"]);
});

test("an action that fails is undone by nothing, and holds no later undo up", async () => {
  const undone: string[] = [];
  offerUndo("starred", () => undone.push("starred"), true);
  await expect(beforeUndo(Promise.reject(new Error("refused")))).rejects.toThrow("refused");
  await undoLast();
  expect(undone).toEqual(["starred"]);
});
