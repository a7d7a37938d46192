/** Which of a folder's audio files make up one instrument: the choices there are, and the likely one.
 * The service's rule is that each top-level folder is one instrument and each file beside them is one (DESIGN.md). */
import type { Found } from "./folder";

export type Grouping = "folders" | "innermost" | "files" | "one";

/** An instrument's name and its files. */
export type Groups = Map<string, Found[]>;

export interface Choice {
  grouping: Grouping;
  instruments: number;
}

const NOTE = /(?:^|[^a-z])[a-g][#bs♯♭]?-?\d(?![a-z0-9])/gi;

/** The files of `found` (all audio) by instrument. */
export function grouped(found: readonly Found[], grouping: Grouping): Groups {
  const cut = commonFolders(found);
  const keys = new Map<string, Found[]>();
  for (const item of found) {
    const key = keyOf(item.path.split("/"), cut, grouping);
    const files = keys.get(key);
    if (files) files.push(item);
    else keys.set(key, [item]);
  }
  return named(keys);
}

/** The groupings that give different instruments, the likely one first. */
export function choices(found: readonly Found[]): Choice[] {
  const seen = new Set<number>();
  const all = ordered(found).flatMap((grouping) => {
    const instruments = grouped(found, grouping).size;
    if (seen.has(instruments)) return [];
    seen.add(instruments);
    return [{ grouping, instruments }];
  });
  return all;
}

function ordered(found: readonly Found[]): Grouping[] {
  const flat = found.every(({ path }) => path.split("/").length - commonFolders(found) === 1);
  if (!flat) return ["folders", "innermost", "files"];
  return looksLikeOne(found.map(({ path }) => path)) ? ["one", "files"] : ["files", "one"];
}

/** Whether the files' names differ only in notes and numbers, as those of one sampled instrument do. */
export function looksLikeOne(paths: readonly string[]): boolean {
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

/** How many leading folders all paths share; files at the top share none. */
function commonFolders(found: readonly Found[]): number {
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

/** Names for the keys: the last part, with as many of the parts before as make it unlike the others. */
function named(keys: Map<string, Found[]>): Groups {
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
