/** From what was dropped to what is sent: one or more parcels, each within the service's limits, and what is left out.
 * What the service takes is said in app/uploads.py: audio, zips of folders, SoundFonts, zips of .sfz with their samples. */
import type { Limits } from "../api/types";
import type { Dropped, Found } from "./folder";
import { type Choice, choices, type Grouping, grouped } from "./grouping";
import { megabytes } from "./words";
import { type ZipEntry, zipBytes } from "./zip";

/** One request: a file as it is, or files to be zipped under `name`. */
export type Parcel = { name: string; bytes: number } & ({ file: File } | { entries: ZipEntry[] });

export interface Plan {
  name: string; // what is being added, for people
  library: string; // a name for the library made of it
  parcels: Parcel[];
  instruments: number | null; // null: the service will find out
  files: number;
  bytes: number;
  choices: Choice[]; // more than one: the user may choose
  grouping: Grouping | null;
  leftOut: string[]; // sentences: what is not sent, and why
  tooLarge: number; // how many of them are about size
}

const FORM_BYTES = 2048; // what a request holds beside the file
const MOST_ENTRIES = 10_000; // of one zip; the service takes 20,000 by default
const ENOUGH_FILES = 16; // the service listens to this many of an instrument's files (index/sources/folder.py)
const SINGLE = ["sf2", "sf3", "zip"];

export function suffixOf(path: string): string {
  return /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
}

/** Whether the service decodes files of this name. */
export function isAudio(path: string, limits: Pick<Limits, "audio_formats">): boolean {
  return limits.audio_formats.some((format) => format.replace(/^\./, "") === suffixOf(path));
}

/** What will be sent of `dropped`. No parcels: nothing can be, and `leftOut` says why. */
export function planOf(dropped: Dropped, limits: Limits, wanted: Grouping | null = null): Plan {
  const most = limits.max_upload_bytes - FORM_BYTES;
  const tops = topsOf(dropped);
  const [first = "nothing"] = tops;
  const plan: Plan = {
    ...EMPTY,
    name: tops.length > 1 ? `${first} and ${tops.length - 1} more` : first,
    library: tops.length > 1 ? "My sounds" : first.replace(/\.\w{2,4}$/, ""),
    parcels: [],
    leftOut: [],
    choices: [],
  };
  const single = dropped.files.filter(({ path }) => SINGLE.includes(suffixOf(path)));
  const rest = dropped.files.filter(({ path }) => !SINGLE.includes(suffixOf(path)));
  for (const { path, file } of single) {
    if (file.size > most) refuse(plan, path, file.size, limits);
    else plan.parcels.push({ name: baseOf(path), bytes: file.size, file });
  }
  if (rest.some(({ path }) => suffixOf(path) === "sfz")) addTree(plan, rest, most, limits);
  else addSamples(plan, rest, most, limits, wanted);
  plan.files = plan.parcels.reduce(
    (sum, parcel) => sum + ("entries" in parcel ? parcel.entries.length : 1),
    0,
  );
  plan.bytes = plan.parcels.reduce((sum, { bytes }) => sum + bytes, 0);
  if (single.length) plan.instruments = null;
  plan.leftOut.push(
    ...dropped.emptyFolders.map((name) => `The folder “${name}” is empty.`),
    ...dropped.unreadable.map((path) => `“${path}” cannot be read; is it still there?`),
  );
  return plan;
}

const EMPTY: Plan = {
  name: "",
  library: "",
  parcels: [],
  instruments: null,
  files: 0,
  bytes: 0,
  choices: [],
  grouping: null,
  leftOut: [],
  tooLarge: 0,
};

/** .sfz files look for their samples by path, so everything around them goes as it lies, in one zip. */
function addTree(plan: Plan, found: readonly Found[], most: number, limits: Limits): void {
  const [only] = found;
  if (only && found.length === 1) {
    plan.parcels.push({ name: baseOf(only.path), bytes: only.file.size, file: only.file });
    return;
  }
  const bytes = zipBytes(found.map(({ path, file }) => ({ path, size: file.size })));
  if (bytes > most) refuse(plan, plan.name, bytes, limits);
  else plan.parcels.push({ name: `${plan.name}.zip`, bytes, entries: [...found] });
  plan.instruments = found.filter(({ path }) => suffixOf(path) === "sfz").length;
}

function addSamples(
  plan: Plan,
  found: readonly Found[],
  most: number,
  limits: Limits,
  wanted: Grouping | null,
): void {
  const audio = found.filter(({ path, file }) => isAudio(path, limits) && file.size > 0);
  const others = found.filter(({ path }) => !isAudio(path, limits));
  if (others.length) plan.leftOut.push(notAudio(others));
  if (!audio.length) return;
  const loose = audio.every(({ path }) => !path.includes("/"));
  plan.choices = loose ? [] : choices(audio);
  plan.grouping = wanted ?? plan.choices[0]?.grouping ?? null;
  const groups = grouped(audio, plan.grouping ?? "files");
  plan.instruments = 0;
  const batches: Batch[] = [];
  for (const [name, files] of groups) {
    const entries = entriesOfInstrument(name, files, most);
    if (!entries.length) {
      refuse(plan, name, Math.min(...files.map(({ file }) => file.size)), limits);
      continue;
    }
    if (entries.length < files.length)
      plan.leftOut.push(`“${name}” is large: ${entries.length} of its ${files.length} files are sent.`);
    plan.instruments += 1;
    addToBatch(batches, entries, most);
  }
  for (const { entries, bytes } of batches) plan.parcels.push({ name: `${plan.name}.zip`, bytes, entries });
}

interface Batch {
  entries: ZipEntry[];
  bytes: number;
}

function addToBatch(batches: Batch[], entries: ZipEntry[], most: number): void {
  const bytes = sizeOf(entries);
  const last = batches.at(-1);
  if (last && last.bytes + bytes <= most && last.entries.length + entries.length <= MOST_ENTRIES) {
    last.entries.push(...entries);
    last.bytes += bytes;
  } else {
    batches.push({ entries: [...entries], bytes });
  }
}

function sizeOf(entries: readonly ZipEntry[]): number {
  return zipBytes(entries.map(({ path, file }) => ({ path, size: file.size })));
}

/** An instrument's files under its name; a larger one than fits sends as many, evenly spread, as do. */
function entriesOfInstrument(name: string, files: readonly Found[], most: number): ZipEntry[] {
  const safe = name.replaceAll("/", " ");
  const placed = files.map(({ path, file }) => ({
    path:
      files.length === 1
        ? `${safe}.${suffixOf(path)}`
        : `${safe}/${path.split("/").slice(1).join(" ") || path}`,
    file,
  }));
  for (let count = placed.length; count > 0; count = Math.min(count - 1, ENOUGH_FILES)) {
    const chosen = spread(placed, count);
    if (sizeOf(chosen) <= most) return chosen;
  }
  return [];
}

/** `count` of `items`, evenly spread from the first to the last. */
export function spread<Item>(items: readonly Item[], count: number): Item[] {
  if (count >= items.length) return [...items];
  const step = count > 1 ? (items.length - 1) / (count - 1) : 0;
  return Array.from({ length: count }, (_, i) => items[Math.round(i * step)] as Item);
}

/** The folders and files that were dropped themselves. */
function topsOf({ files, emptyFolders }: Dropped): string[] {
  return [...new Set([...files.map(({ path }) => path.split("/")[0] ?? path), ...emptyFolders])];
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function refuse(plan: Plan, name: string, bytes: number, limits: Limits): void {
  const most = megabytes(limits.max_upload_bytes);
  plan.tooLarge += 1;
  plan.leftOut.push(
    `“${baseOf(name)}” is ${megabytes(bytes)} and the server takes ${most} at a time: add it in a terminal with “showme index add”, which has no such limit.`,
  );
}

function notAudio(others: readonly Found[]): string {
  const [first] = others;
  const name = first ? baseOf(first.path) : "";
  return others.length === 1
    ? `“${name}” is no audio, SoundFont, SFZ or zip, so it stays out.`
    : `${others.length} files stay out, since they are no audio (“${name}” and others).`;
}
