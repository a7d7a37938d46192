/** Sends a large file of an enrollment in pieces, and remembers it so that the same file goes on after a reload. */
import { cancelUpload, type ResumableOptions, sendInPieces } from "../api/resumable";
import { forgetUpload, rememberUpload, unfinishedUploadOf, uploadsBeingSent } from "./unfinishedUploads";

/** Resolve with the id of the complete upload. A cancelled one is given up; one that fails stays, to go on later. */
export async function sendLarge(
  file: File,
  options: Omit<ResumableOptions, "begun" | "onBegun"> & { signal: AbortSignal },
): Promise<string> {
  const earlier = unfinishedUploadOf(file);
  let id = earlier?.id ?? null;
  const setSending = (sent: string | null, before: string | null) => {
    const others = uploadsBeingSent.value.filter((other) => other !== before);
    uploadsBeingSent.value = sent ? [...others, sent] : others;
  };
  setSending(id, null);
  try {
    return await sendInPieces(file, {
      ...options,
      begun: id,
      onBegun: (begun) => {
        if (id) forgetUpload(id);
        setSending(begun, id);
        id = begun;
        rememberUpload(file, begun, 0);
      },
      onProgress: (share) => {
        if (id) rememberUpload(file, id, share);
        options.onProgress?.(share);
      },
    });
  } catch (error) {
    if (options.signal.aborted && id) {
      forgetUpload(id);
      void cancelUpload(id).catch(() => undefined); // else it expires
    }
    throw error;
  } finally {
    setSending(null, id);
  }
}
