/** Turns dropped files into uploads: one or more parts within the service's limits, and a list of skipped files.
 * app/uploads.py defines what the service accepts: audio, zips of folders, SoundFonts, zips of .sfz with samples. */
import type { Limits } from "../api/types";
import { formatBytes } from "../ui/format";
import type { DroppedFile, DroppedFiles } from "./droppedFiles";
import { type Choice, type Grouping, groupFiles, groupingChoices } from "./grouping";
import { type ZipEntry, zipBytes } from "./zip";

/** One request: a single file, or files to zip under `name`. */
export type UploadPart = { name: string; bytes: number } & ({ file: File } | { entries: ZipEntry[] });

export interface UploadPlan {
  name: string; // shown to the user
  library: string; // suggested name for a new library
  parts: UploadPart[];
  instruments: number | null; // null: only the service can tell
  files: number;
  bytes: number;
  choices: Choice[]; // the user may choose if there are several
  grouping: Grouping | null;
  skipped: string[]; // sentences that say which files were skipped, and why
}

const FORM_BYTES = 2048; // request overhead beside the file
const MOST_ENTRIES = 10_000; // per zip; the service accepts 20,000 by default
const ENOUGH_FILES = 16; // the service uses at most this many files per instrument (index/sources/folder.py)
const SINGLE = ["sf2", "sf3", "zip"];

export function extensionOf(path: string): string {
  return /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
}

/** Whether the service decodes files with this extension. */
export function isAudio(path: string, limits: Pick<Limits, "audio_formats">): boolean {
  return limits.audio_formats.some((format) => format.replace(/^\./, "") === extensionOf(path));
}

/** Plan the upload of `dropped`. Without parts there is nothing to send, and `skipped` says why. */
export function planUpload(
  dropped: DroppedFiles,
  limits: Limits,
  wanted: Grouping | null = null,
): UploadPlan {
  const most = limits.max_library_bytes - FORM_BYTES;
  const mostOfZip = limits.max_upload_bytes - FORM_BYTES; // a zip is packed in memory
  const tops = topNames(dropped);
  const [first = "nothing"] = tops;
  const plan: UploadPlan = {
    ...EMPTY_PLAN,
    name: tops.length > 1 ? `${first} and ${tops.length - 1} more` : first,
    library: tops.length > 1 ? "My sounds" : first.replace(/\.\w{2,4}$/, ""),
    parts: [],
    skipped: [],
    choices: [],
  };
  const isUsable = (path: string) => isAudio(path, limits) || [...SINGLE, "sfz"].includes(extensionOf(path));
  const empty = dropped.files.filter(({ path, file }) => file.size === 0 && isUsable(path));
  const whole = dropped.files.filter((item) => !empty.includes(item) && !dropped.loneSfz.includes(item.path));
  const single = whole.filter(({ path }) => SINGLE.includes(extensionOf(path)));
  const rest = whole.filter(({ path }) => !SINGLE.includes(extensionOf(path)));
  for (const { path, file } of single) {
    if (file.size > most) skipTooLarge(plan, path, file.size, limits.max_library_bytes);
    else plan.parts.push({ name: fileName(path), bytes: file.size, file });
  }
  if (rest.some(({ path }) => extensionOf(path) === "sfz")) addSfzFolder(plan, rest, most, limits);
  else addSamples(plan, rest, Math.min(most, mostOfZip), limits, wanted);
  plan.files = plan.parts.reduce((sum, part) => sum + ("entries" in part ? part.entries.length : 1), 0);
  plan.bytes = plan.parts.reduce((sum, { bytes }) => sum + bytes, 0);
  if (single.length) plan.instruments = null;
  if (empty.length) plan.skipped.push(emptyFiles(empty));
  plan.skipped.push(
    ...dropped.loneSfz.map(
      (path) => `“${fileName(path)}” needs its samples: drop the folder that holds both, or a zip of it.`,
    ),
    ...dropped.emptyFolders.map((name) => `The folder “${name}” is empty.`),
    ...dropped.unreadable.map((path) => `“${path}” could not be read. Does it still exist?`),
  );
  return plan;
}

const EMPTY_PLAN: UploadPlan = {
  name: "",
  library: "",
  parts: [],
  instruments: null,
  files: 0,
  bytes: 0,
  choices: [],
  grouping: null,
  skipped: [],
};

/** An .sfz refers to samples by relative path, so its whole folder is sent in one zip. */
function addSfzFolder(plan: UploadPlan, found: readonly DroppedFile[], most: number, limits: Limits): void {
  const [only] = found;
  if (only && found.length === 1) {
    plan.parts.push({ name: fileName(only.path), bytes: only.file.size, file: only.file });
    return;
  }
  const bytes = zipBytes(found.map(({ path, file }) => ({ path, size: file.size })));
  if (bytes > most) skipTooLarge(plan, plan.name, bytes, limits.max_library_bytes);
  else plan.parts.push({ name: `${plan.name}.zip`, bytes, entries: [...found] });
  plan.instruments = found.filter(({ path }) => extensionOf(path) === "sfz").length;
}

function addSamples(
  plan: UploadPlan,
  found: readonly DroppedFile[],
  most: number,
  limits: Limits,
  wanted: Grouping | null,
): void {
  const audio = found.filter(({ path }) => isAudio(path, limits));
  const others = found.filter(({ path }) => !isAudio(path, limits));
  if (others.length) plan.skipped.push(notAudio(others));
  if (!audio.length) return;
  const loose = audio.every(({ path }) => !path.includes("/"));
  plan.choices = loose ? [] : groupingChoices(audio);
  plan.grouping = wanted ?? plan.choices[0]?.grouping ?? null;
  const groups = groupFiles(audio, plan.grouping ?? "files");
  plan.instruments = 0;
  const batches: Batch[] = [];
  for (const [name, files] of groups) {
    const entries = entriesOfInstrument(name, files, most);
    if (!entries.length) {
      skipTooLarge(plan, name, Math.min(...files.map(({ file }) => file.size)), limits.max_upload_bytes);
      continue;
    }
    if (entries.length < files.length)
      plan.skipped.push(
        `“${name}” is too large: ${entries.length} of its ${files.length} files will be uploaded.`,
      );
    plan.instruments += 1;
    addToBatch(batches, entries, most);
  }
  for (const { entries, bytes } of batches) plan.parts.push({ name: `${plan.name}.zip`, bytes, entries });
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

/** The files of one instrument; if they exceed the limit, an evenly spaced selection that fits. */
function entriesOfInstrument(name: string, files: readonly DroppedFile[], most: number): ZipEntry[] {
  const safe = name.replaceAll("/", " ");
  const placed = files.map(({ path, file }) => ({
    path:
      files.length === 1
        ? `${safe}.${extensionOf(path)}`
        : `${safe}/${path.split("/").slice(1).join(" ") || path}`,
    file,
  }));
  for (let count = placed.length; count > 0; count = Math.min(count - 1, ENOUGH_FILES)) {
    const chosen = pickEvenly(placed, count);
    if (sizeOf(chosen) <= most) return chosen;
  }
  return [];
}

/** `count` of `items`, evenly spaced from the first to the last. */
export function pickEvenly<Item>(items: readonly Item[], count: number): Item[] {
  if (count >= items.length) return [...items];
  const step = count > 1 ? (items.length - 1) / (count - 1) : 0;
  return Array.from({ length: count }, (_, i) => items[Math.round(i * step)] as Item);
}

/** The names of the dropped folders and files themselves. */
function topNames({ files, emptyFolders }: DroppedFiles): string[] {
  return [...new Set([...files.map(({ path }) => path.split("/")[0] ?? path), ...emptyFolders])];
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function skipTooLarge(plan: UploadPlan, name: string, bytes: number, accepted: number): void {
  const most = formatBytes(accepted);
  plan.skipped.push(
    `“${fileName(name)}” is ${formatBytes(bytes)}, but the server accepts at most ${most} per upload. Add it with “showme index add” in a terminal, which has no such limit.`,
  );
}

function emptyFiles(empty: readonly DroppedFile[]): string {
  const [first] = empty;
  const name = first ? fileName(first.path) : "";
  return empty.length === 1
    ? `“${name}” was skipped: it is empty.`
    : `${empty.length} files were skipped: they are empty (“${name}” and others).`;
}

function notAudio(others: readonly DroppedFile[]): string {
  const [first] = others;
  const name = first ? fileName(first.path) : "";
  return others.length === 1
    ? `“${name}” was skipped: not audio, a SoundFont, SFZ or zip.`
    : `${others.length} files were skipped: not audio, a SoundFont, SFZ or zip (“${name}” and others).`;
}
