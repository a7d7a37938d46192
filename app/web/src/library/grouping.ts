/** Groups a folder's audio files into instruments: the possible groupings, the most likely first.
 * The service makes one instrument of each top-level folder and of each file beside them (docs/ARCHITECTURE.md,
 * "HTTP contract"). */
import type { DroppedFile } from "./droppedFiles";

export type Grouping = "folders" | "innermost" | "files" | "one";

/** Files by instrument name. */
export type Groups = Map<string, DroppedFile[]>;

export interface Choice {
  grouping: Grouping;
  instruments: number;
}

const NOTE = /(?:^|[^a-z])[a-g][#bs♯♭]?-?\d(?![a-z0-9])/gi;

/** Group `found` (audio files only) by instrument. */
export function groupFiles(found: readonly DroppedFile[], grouping: Grouping): Groups {
  const cut = commonFolders(found);
  const keys = new Map<string, DroppedFile[]>();
  for (const item of found) {
    const key = keyOf(item.path.split("/"), cut, grouping);
    const files = keys.get(key);
    if (files) files.push(item);
    else keys.set(key, [item]);
  }
  return nameGroups(keys);
}

/** The groupings that give different numbers of instruments, the most likely first. */
export function groupingChoices(found: readonly DroppedFile[]): Choice[] {
  const seen = new Set<number>();
  const all = likelyFirst(found).flatMap((grouping) => {
    const instruments = groupFiles(found, grouping).size;
    if (seen.has(instruments)) return [];
    seen.add(instruments);
    return [{ grouping, instruments }];
  });
  return all;
}

function likelyFirst(found: readonly DroppedFile[]): Grouping[] {
  const flat = found.every(({ path }) => path.split("/").length - commonFolders(found) === 1);
  if (!flat) return ["folders", "innermost", "files"];
  return looksLikeOneInstrument(found.map(({ path }) => path)) ? ["one", "files"] : ["files", "one"];
}

/** Whether the file names differ only in notes and numbers, like those of one sampled instrument. */
export function looksLikeOneInstrument(paths: readonly string[]): boolean {
  const stems = paths.map((path) => {
    const name = path.slice(path.lastIndexOf("/") + 1).replace(/\.\w+$/, "");
    return name
      .replace(NOTE, " ")
      .replace(/[\d\W_]+/g, " ")
      .trim()
      .toLowerCase();
  });
  return new Set(stems).size <= Math.max(1, paths.length / 4);
}

/** The number of leading folders that all paths share. */
function commonFolders(found: readonly DroppedFile[]): number {
  const [first, ...rest] = found.map(({ path }) => path.split("/").slice(0, -1));
  if (!first) return 0;
  let count = 0;
  while (count < first.length && rest.every((parts) => parts[count] === first[count])) count++;
  return count;
}

function keyOf(parts: string[], cut: number, grouping: Grouping): string {
  if (grouping === "one") return parts.slice(0, Math.max(1, cut)).join("/");
  const folders = parts.slice(0, -1);
  if (grouping === "files" || folders.length <= cut) return parts.join("/");
  return grouping === "folders" ? folders.slice(0, cut + 1).join("/") : folders.join("/");
}

/** Name each key by its last part, plus as many preceding parts as make it unique. */
function nameGroups(keys: Map<string, DroppedFile[]>): Groups {
  const groups: Groups = new Map();
  const lastParts = new Map<string, number>();
  const last = (key: string, count = 1) =>
    key
      .replace(/\.\w{2,4}$/, "")
      .split("/")
      .slice(-count)
      .join(" ");
  for (const key of keys.keys()) lastParts.set(last(key), (lastParts.get(last(key)) ?? 0) + 1);
  for (const [key, files] of keys) {
    const alone = lastParts.get(last(key)) === 1;
    let name = alone ? last(key) : last(key, 2);
    for (let number = 2; groups.has(name); number++) name = `${last(key, 2)} (${number})`;
    groups.set(name, files);
  }
  return groups;
}
