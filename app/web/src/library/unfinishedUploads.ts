/** The uploads of this browser that are begun and not complete, in localStorage: the same file goes on where it was.
 * Without storage they are forgotten, and the service gives them up after a while. */
import { signal } from "@preact/signals";
import { cancelUpload } from "../api/resumable";
import { showProblem } from "../state/toasts";

export interface UnfinishedUpload {
  id: string;
  name: string;
  size: number; // bytes
  modified: number; // as File.lastModified
  share: number; // that has arrived, 0 to 1
}

const KEY = "showme.uploads";

export const unfinishedUploads = signal<UnfinishedUpload[]>(stored());
/** Those that are being sent now. */
export const uploadsBeingSent = signal<readonly string[]>([]);

/** The upload of the same file: its name, size and time are the same. */
export function unfinishedUploadOf(file: File): UnfinishedUpload | undefined {
  return unfinishedUploads.value.find(
    ({ name, size, modified }) => name === file.name && size === file.size && modified === file.lastModified,
  );
}

export function rememberUpload(file: File, id: string, share: number): void {
  const { name, size, lastModified: modified } = file;
  const others = unfinishedUploads.value.filter((other) => other.id !== id);
  store([...others, { id, name, size, modified, share }]);
}

export function forgetUpload(id: string): void {
  store(unfinishedUploads.value.filter((other) => other.id !== id));
}

/** Give an upload up, here and on the server. */
export async function discardUpload(id: string): Promise<void> {
  try {
    await cancelUpload(id);
    forgetUpload(id);
  } catch (error) {
    showProblem(error);
  }
}

function store(uploads: UnfinishedUpload[]): void {
  unfinishedUploads.value = uploads;
  try {
    localStorage.setItem(KEY, JSON.stringify(uploads));
  } catch {
    // storage is full or blocked
  }
}

function isUpload(value: unknown): value is UnfinishedUpload {
  const upload = value as UnfinishedUpload | null;
  return (
    typeof upload?.id === "string" &&
    typeof upload.name === "string" &&
    [upload.size, upload.modified, upload.share].every(Number.isFinite)
  );
}

function stored(): UnfinishedUpload[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isUpload) : [];
  } catch {
    return [];
  }
}
