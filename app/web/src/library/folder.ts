/** What was dropped or picked, as files with their paths: folders are walked to their ends, hidden files left alone.
 * Uses the File and Directory Entries API, whose directory readers give at most 100 entries at a time. */

export interface Found {
  path: string; // the dropped folder's name first, forward slashes
  file: File;
}

export interface Dropped {
  files: Found[];
  emptyFolders: string[]; // dropped folders in which there is nothing
  unreadable: string[]; // paths
}

/** The part of FileSystemEntry that the walk needs. */
export interface Entry {
  name: string;
  isDirectory: boolean;
  file?(found: (file: File) => void, failed: (error: unknown) => void): void;
  createReader?(): {
    readEntries(found: (entries: Entry[]) => void, failed: (error: unknown) => void): void;
  };
}

/** The entries of a drop. Must be called while the drop event is handled: afterwards the browser has forgotten them. */
export function entriesOf(transfer: DataTransfer): Entry[] {
  return [...transfer.items].flatMap((item) => {
    const entry = item.kind === "file" ? (item.webkitGetAsEntry() as Entry | null) : null;
    return entry ? [entry] : [];
  });
}

/** Everything below `entries`, in the order of the paths. `onCount` hears how many files were found so far. */
export async function walk(
  entries: readonly Entry[],
  onCount: (files: number) => void = () => undefined,
): Promise<Dropped> {
  const dropped: Dropped = { files: [], emptyFolders: [], unreadable: [] };
  for (const entry of entries) {
    const before = dropped.files.length + dropped.unreadable.length;
    await visit(entry, "", dropped, onCount);
    if (entry.isDirectory && before === dropped.files.length + dropped.unreadable.length)
      dropped.emptyFolders.push(entry.name);
  }
  dropped.files.sort((one, other) => (one.path < other.path ? -1 : 1));
  return dropped;
}

/** The files of an <input type=file>, with or without `webkitdirectory`. */
export function pickedFiles(files: Iterable<File>): Dropped {
  const found = [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  return {
    files: found.filter(({ path }) => !path.split("/").some(isHidden)),
    emptyFolders: [],
    unreadable: [],
  };
}

function isHidden(name: string): boolean {
  return name.startsWith(".") || name === "__MACOSX" || name === "Thumbs.db" || name === "desktop.ini";
}

async function visit(
  entry: Entry,
  above: string,
  dropped: Dropped,
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
