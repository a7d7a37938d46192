/** Checks dropped, picked or pasted files before upload, to spare a useless upload.
 * The service checks again. */
import { InvalidInput } from "../api/problem";
import type { Limits } from "../api/types";
import { formatBytes } from "../ui/format";

/** Why a file cannot be queried, or null if it can. */
export function checkFile(file: Pick<File, "name" | "size" | "type">, limits: Limits): InvalidInput | null {
  const formats = limits.audio_formats.map((format) => format.replace(/^\./, ""));
  const suffix = /\.([^.]+)$/.exec(file.name)?.[1]?.toLowerCase() ?? "";
  const isAudio =
    formats.includes(suffix) || /^audio\//.test(file.type) || (suffix === "aif" && formats.includes("aiff"));
  if (!isAudio)
    return new InvalidInput(
      `${file.name} is not an audio file.`,
      `Supported formats: ${formats.join(", ")}.`,
    );
  if (file.size === 0)
    return new InvalidInput(`${file.name} is empty.`, "Is it still being written? Try again in a moment.");
  const most = limits.max_upload_bytes;
  if (file.size > most)
    return new InvalidInput(
      `${file.name} is ${formatBytes(file.size)}; the server accepts at most ${formatBytes(most)}.`,
      "Trim it, or convert it to MP3 or FLAC.",
    );
  return null;
}

export interface TrackChoice {
  file: File | null;
  problem: InvalidInput | null;
  note: string | null; // shown beside the chosen file
}

/** Choose one track from dropped files; folders and extra tracks are explained. */
export function chooseTrack(files: readonly File[], folders: number, limits: Limits): TrackChoice {
  const [first] = files;
  if (!first) {
    const what = folders ? "That is a folder, not a track." : "No file was found.";
    const advice = folders
      ? "Drop one audio file here. To add a folder of sounds to a library, drop it in the Library view."
      : "Drop one audio file.";
    return { file: null, problem: new InvalidInput(what, advice), note: null };
  }
  const taken = files.find((file) => !checkFile(file, limits)) ?? first;
  const note = files.length > 1 ? `Only one track at a time: using ${taken.name}.` : null;
  return { file: taken, problem: checkFile(taken, limits), note };
}

/** The files of a drop and the number of folders. Only a folder's entry tells it apart from a file. */
export function droppedFilesOf(transfer: DataTransfer): { files: File[]; folders: number } {
  const entries = [...transfer.items].map((item) => ({ item, entry: item.webkitGetAsEntry?.() ?? null }));
  const folders = entries.filter(({ entry }) => entry?.isDirectory).length;
  const files = entries.filter(({ entry }) => !entry?.isDirectory).map(({ item }) => item.getAsFile());
  return { files: files.filter((file) => file !== null), folders };
}
