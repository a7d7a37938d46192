/** Reads dropped or picked files with their paths: folders recursively, without hidden files.
 * Uses the File and Directory Entries API, whose readers return at most 100 entries at a time. */

export interface DroppedFile {
  path: string; // starts with the dropped folder's name; forward slashes
  file: File;
}

export interface DroppedFiles {
  files: DroppedFile[];
  emptyFolders: string[]; // dropped folders without files
  unreadable: string[]; // paths
  loneSfz: string[]; // paths of .sfz files whose samples were not dropped
}

/** The part of FileSystemEntry that `readEntries` needs. */
export interface Entry {
  name: string;
  isDirectory: boolean;
  file?(found: (file: File) => void, failed: (error: unknown) => void): void;
  createReader?(): {
    readEntries(found: (entries: Entry[]) => void, failed: (error: unknown) => void): void;
  };
}

/** The entries of a drop. Call this during the drop event; afterwards the browser discards them. */
export function entriesOf(transfer: DataTransfer): Entry[] {
  return [...transfer.items].flatMap((item) => {
    const entry = item.kind === "file" ? (item.webkitGetAsEntry() as Entry | null) : null;
    return entry ? [entry] : [];
  });
}

/** Read all files below `entries`, sorted by path. `onCount` receives the number of files found so far. */
export async function readEntries(
  entries: readonly Entry[],
  onCount: (files: number) => void = () => undefined,
): Promise<DroppedFiles> {
  const dropped: DroppedFiles = { files: [], emptyFolders: [], unreadable: [], loneSfz: [] };
  for (const entry of entries) {
    const before = dropped.files.length + dropped.unreadable.length;
    await visit(entry, "", dropped, onCount);
    if (entry.isDirectory && before === dropped.files.length + dropped.unreadable.length)
      dropped.emptyFolders.push(entry.name);
  }
  dropped.files.sort((one, other) => (one.path < other.path ? -1 : 1));
  dropped.loneSfz = await loneSfz(dropped.files);
  return dropped;
}

/** The files of an <input type=file>, with or without `webkitdirectory`. */
export async function pickedFiles(files: Iterable<File>): Promise<DroppedFiles> {
  const found = [...files]
    .map((file) => ({ path: file.webkitRelativePath || file.name, file }))
    .filter(({ path }) => !path.split("/").some(isHidden));
  return { files: found, emptyFolders: [], unreadable: [], loneSfz: await loneSfz(found) };
}

const MOST_SFZ_BYTES = 1_000_000; // that are searched for samples
const SAMPLE = /(?<=^|[\s>])sample=(.+?)(?=\s+\w+=|\s*<|\s*$)/gm;

/** The names of the samples in an .sfz file, without folders; generated waves (`*sine`) are none. */
export function samplesOf(sfz: string): string[] {
  const paths = [...sfz.replace(/\/\/.*$/gm, "").matchAll(SAMPLE)].map(([, path = ""]) => path.trim());
  return paths.filter((path) => !path.startsWith("*")).map((path) => path.split(/[\\/]/).at(-1) ?? path);
}

/** The paths of .sfz files that name samples of which none is among `files`. */
async function loneSfz(files: readonly DroppedFile[]): Promise<string[]> {
  const names = new Set(files.map(({ file }) => file.name.toLowerCase()));
  const lone: string[] = [];
  for (const { path, file } of files.filter(({ path }) => /\.sfz$/i.test(path))) {
    const samples = samplesOf(await file.slice(0, MOST_SFZ_BYTES).text());
    if (samples.length && !samples.some((name) => names.has(name.toLowerCase()))) lone.push(path);
  }
  return lone;
}

function isHidden(name: string): boolean {
  return name.startsWith(".") || name === "__MACOSX" || name === "Thumbs.db" || name === "desktop.ini";
}

async function visit(
  entry: Entry,
  above: string,
  dropped: DroppedFiles,
  onCount: (files: number) => void,
): Promise<void> {
  if (isHidden(entry.name)) return;
  const path = above + entry.name;
  try {
    if (entry.isDirectory) {
      for (const inner of await children(entry)) await visit(inner, `${path}/`, dropped, onCount);
    } else {
      dropped.files.push({ path, file: await fileOf(entry) });
      onCount(dropped.files.length);
    }
  } catch {
    dropped.unreadable.push(path);
  }
}

function fileOf(entry: Entry): Promise<File> {
  return new Promise((resolve, reject) => entry.file?.(resolve, reject));
}

async function children(entry: Entry): Promise<Entry[]> {
  const reader = entry.createReader?.();
  const all: Entry[] = [];
  while (reader) {
    const some = await new Promise<Entry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    all.push(...some);
  }
  return all;
}
