/** Downloads with readable errors: the response is fetched first, so that a problem document becomes a message. */
import { requestResponse } from "./transport";

/** Fetch `url` and save it under the service's file name (RFC 6266). */
export async function download(url: string, fallbackName: string): Promise<string> {
  const answer = await requestResponse(url);
  const name = fileNameOf(answer.headers.get("Content-Disposition")) ?? fallbackName;
  const address = URL.createObjectURL(await answer.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  return name;
}

/** Fetch a sound that the service makes, which takes a while. */
export async function fetchSound(url: string): Promise<Blob> {
  return (await requestResponse(url)).blob();
}

/** The file name in a Content-Disposition header; the encoded name (RFC 8187) takes precedence. */
export function fileNameOf(header: string | null): string | null {
  const encoded = /filename\*\s*=\s*utf-8''([^;]+)/i.exec(header ?? "")?.[1];
  if (encoded) {
    try {
      return decodeURIComponent(encoded.trim());
    } catch {
      // malformed: use the plain name
    }
  }
  return /filename\s*=\s*"((?:[^"\\]|\\.)*)"/i.exec(header ?? "")?.[1]?.replace(/\\(.)/g, "$1") ?? null;
}
