/** Drags an instrument out of the page as a file: its sample, or its preview where it is more than one recording.
 * Chromium takes `DownloadURL` to folders and programs outside; other browsers get the link. */
import { sourceUrl } from "../api/client";

interface Draggable {
  id: string;
  name: string;
  source: string | null;
  preview_url: string;
}

const TYPES: Record<string, string> = {
  wav: "audio/wav",
  aif: "audio/aiff",
  aiff: "audio/aiff",
  flac: "audio/flac",
  ogg: "audio/ogg",
  mp3: "audio/mpeg",
};

export interface OutFile {
  type: string;
  name: string;
  path: string; // on this server
}

/** The file that stands for an instrument: the recording that it was enrolled from if there is one, else the preview. */
export function outFile(item: Draggable): OutFile {
  const file = /[^/\\]+$/.exec(item.source ?? "")?.[0] ?? "";
  const type = TYPES[/\.([a-z0-9]+)$/i.exec(file)?.[1]?.toLowerCase() ?? ""];
  if (type) return { type, name: file, path: sourceUrl(item.id) };
  return {
    type: "audio/mpeg",
    name: `${item.name.replace(/[\\/:*?"<>|]+/g, "_")}.mp3`,
    path: item.preview_url,
  };
}

/** Begin to drag an instrument out of the page. */
export function dragOut(event: DragEvent, item: Draggable): void {
  const data = event.dataTransfer;
  if (!data) return;
  const { type, name, path } = outFile(item);
  const address = new URL(path, location.href).href;
  data.effectAllowed = "copy";
  data.setData("DownloadURL", `${type}:${name}:${address}`);
  data.setData("text/uri-list", address);
  data.setData("text/plain", address);
}
