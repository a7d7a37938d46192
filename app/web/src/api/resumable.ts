/** Large files in pieces (tus 1.0.0, https://tus.io): what has arrived stays, and the upload goes on where it was cut off. */
import { ApiProblem, InvalidInput, ServerAway } from "./problem";
import { type Options, requestHeaders, sendBody, type UploadOptions } from "./transport";

const VERSION = { "Tus-Resumable": "1.0.0" };
const PIECE_BYTES = 8 * 1024 * 1024; // a proxy may keep a whole request back, so that a broken one brings nothing
const TRIES = 3; // without a byte that arrived

const at = (id: string) => `/v1/uploads/${encodeURIComponent(id)}`;

export interface ResumableOptions extends UploadOptions {
  begun: string | null; // the upload to go on with
  onBegun: (id: string) => void; // a new one had to be begun
  onBreak: () => Promise<void>; // the connection is gone; resolves when it is worth another try
}

/** Send what the service lacks of `file`. Resolves with the id of the complete upload. */
export async function sendInPieces(file: File, options: ResumableOptions): Promise<string> {
  let id = options.begun;
  let tried = 0;
  for (;;) {
    try {
      let offset = id ? await offsetOf(id, options) : null;
      if (!id || offset === null) {
        id = await begin(file, options);
        options.onBegun(id);
        offset = 0;
      }
      await sendFrom(offset, id, file, options, () => {
        tried = 0;
      });
      return id;
    } catch (error) {
      if (!canGoOn(error) || ++tried === TRIES) throw error;
      await checkReadable(file);
      if (error instanceof ServerAway) await options.onBreak();
    }
  }
}

async function sendFrom(
  offset: number,
  id: string,
  file: File,
  options: UploadOptions,
  onPiece: () => void,
): Promise<void> {
  for (let at = offset; at < file.size; onPiece()) at = await sendPiece(id, file, at, options);
}

/** Give an upload up; one that is gone is no fault. */
export async function cancelUpload(id: string): Promise<void> {
  await requestHeaders("DELETE", at(id), VERSION).catch(ignoreMissing);
}

async function begin(file: File, options: Options): Promise<string> {
  const name = btoa(String.fromCharCode(...new TextEncoder().encode(file.name)));
  const described = { "Upload-Length": String(file.size), "Upload-Metadata": `filename ${name}` };
  const headers = await requestHeaders("POST", "/v1/uploads", { ...VERSION, ...described }, options);
  return headers.get("Location")?.split("/").at(-1) ?? "";
}

/** The number of bytes that have arrived; null if the upload has expired. */
async function offsetOf(id: string, options: Options): Promise<number | null> {
  const headers = await requestHeaders("HEAD", at(id), VERSION, options).catch(ignoreMissing);
  return headers && Number(headers.get("Upload-Offset"));
}

async function sendPiece(
  id: string,
  file: File,
  offset: number,
  { onProgress, ...options }: UploadOptions,
): Promise<number> {
  const piece = file.slice(offset, offset + PIECE_BYTES);
  const type = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) };
  await sendBody<void>("PATCH", at(id), piece, {
    ...options,
    headers: { ...VERSION, ...type },
    onProgress: (share) => onProgress?.((offset + share * piece.size) / file.size),
  });
  return offset + piece.size;
}

function canGoOn(error: unknown): boolean {
  return (
    error instanceof ServerAway || (error instanceof ApiProblem && [404, 408, 409].includes(error.status))
  );
}

function ignoreMissing(error: unknown): null {
  if (error instanceof ApiProblem && error.status === 404) return null;
  throw error;
}

/** Reject a file that was changed or removed since it was chosen: the browser does not read it any more. */
async function checkReadable(file: File): Promise<void> {
  await file
    .slice(0, 1)
    .arrayBuffer()
    .catch(() => {
      throw new InvalidInput(`“${file.name}” was changed or removed while it was read.`, "Add it again.");
    });
}
