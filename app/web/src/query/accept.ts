/** Looks at what was dropped, picked or pasted before anything is sent: what can be refused here costs no upload.
 * The service looks again; this only spares the wait and says the same in one sentence. */
import { Refused } from "../api/problem";
import type { Limits } from "../api/types";

/** 2147483648 → `2.1 GB`. */
export function bytesInWords(bytes: number): string {
  for (const [unit, size] of [
    ["GB", 1e9],
    ["MB", 1e6],
    ["kB", 1e3],
  ] as const)
    if (bytes >= size) return `${(bytes / size).toFixed(bytes >= 100 * size ? 0 : 1)} ${unit}`;
  return `${bytes} bytes`;
}

/** Why a file cannot be asked about; null when it may be. */
export function refusalOf(file: Pick<File, "name" | "size" | "type">, limits: Limits): Refused | null {
  const formats = limits.audio_formats.map((format) => format.replace(/^\./, ""));
  const suffix = /\.([^.]+)$/.exec(file.name)?.[1]?.toLowerCase() ?? "";
  const isAudio =
    formats.includes(suffix) || /^audio\//.test(file.type) || (suffix === "aif" && formats.includes("aiff"));
  if (!isAudio)
    return new Refused(`${file.name} is not an audio file.`, `Drop one of: ${formats.join(", ")}.`);
  if (file.size === 0)
    return new Refused(`${file.name} is empty.`, "Is it still being written? Try again in a moment.");
  const most = limits.max_upload_bytes;
  if (file.size > most)
    return new Refused(
      `${file.name} has ${bytesInWords(file.size)}; the server takes at most ${bytesInWords(most)}.`,
      "Cut out the part that matters, or send it as mp3 or flac.",
    );
  return null;
}

export interface Offer {
  file: File | null;
  refusal: Refused | null;
  note: string | null; // said beside the file that is taken
}

/** The one track among what was dropped: folders and a second track are answered in words. */
export function offerOf(files: readonly File[], folders: number, limits: Limits): Offer {
  const [first] = files;
  if (!first) {
    const what = folders ? "That is a folder, not a track." : "There is no file in what you gave.";
    const advice = folders
      ? "Drop one audio file here; to add a folder of sounds to a library, drop it in the Library view."
      : "Drop one audio file.";
    return { file: null, refusal: new Refused(what, advice), note: null };
  }
  const taken = files.find((file) => !refusalOf(file, limits)) ?? first;
  const note = files.length > 1 ? `One track at a time: ${taken.name} is taken.` : null;
  return { file: taken, refusal: refusalOf(taken, limits), note };
}

/** The files and the number of folders of a drop; folders come as files of no type, and only their entries tell. */
export function contentsOf(transfer: DataTransfer): { files: File[]; folders: number } {
  const entries = [...transfer.items].map((item) => ({ item, entry: item.webkitGetAsEntry?.() ?? null }));
  const folders = entries.filter(({ entry }) => entry?.isDirectory).length;
  const files = entries.filter(({ entry }) => !entry?.isDirectory).map(({ item }) => item.getAsFile());
  return { files: files.filter((file) => file !== null), folders };
}
