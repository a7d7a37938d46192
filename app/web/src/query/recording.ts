/** The microphone through wavesurfer's record plugin: a live picture in `box`, at the end a wav file. Loaded when needed. */
import WaveSurfer from "wavesurfer.js";
import RecordPlugin from "wavesurfer.js/plugins/record";
import { wavOf } from "../audio/wav";

const RATE = 44_100; // Hz, of the wav

export interface Recording {
  finish: () => Promise<File>;
  cancel: () => void;
}

/** Begin to record; rejects with a DOMException when there is no microphone or it is not allowed. */
export async function record(box: HTMLElement, onSeconds: (seconds: number) => void): Promise<Recording> {
  if (!navigator.mediaDevices) throw new DOMException("no microphone here", "NotSupportedError");
  const nonce = document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";
  const colour = getComputedStyle(box).color;
  const wave = WaveSurfer.create({
    container: box,
    height: "auto",
    cspNonce: nonce,
    waveColor: colour,
    cursorWidth: 0,
    barWidth: 2,
    barGap: 1,
    interact: false,
  });
  const plugin = wave.registerPlugin(
    RecordPlugin.create({ scrollingWaveform: true, scrollingWaveformWindow: 8, renderRecordedAudio: false }),
  );
  plugin.on("record-progress", (milliseconds) => onSeconds(milliseconds / 1000));
  try {
    // No processing for speech: it would take the music apart.
    await plugin.startRecording({ echoCancellation: false, noiseSuppression: false, autoGainControl: false });
  } catch (error) {
    wave.destroy();
    throw error instanceof DOMException ? error : causeOf(error);
  }
  const finish = async () => {
    const ended = new Promise<Blob>((resolve) => {
      plugin.once("record-end", resolve);
    });
    plugin.stopRecording();
    const blob = await ended;
    wave.destroy();
    return fileOf(blob);
  };
  return { finish, cancel: () => wave.destroy() };
}

/** The plugin wraps what the browser threw; the name of that says what to do. */
function causeOf(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : null;
  if (cause instanceof DOMException) return cause;
  const text = String(error);
  const name = ["NotAllowedError", "NotFoundError", "NotSupportedError"].find((known) =>
    text.includes(known),
  );
  if (name) return new DOMException(text, name);
  if (/permission|denied|not allowed/i.test(text)) return new DOMException(text, "NotAllowedError");
  return /not found/i.test(text) ? new DOMException(text, "NotFoundError") : error;
}

async function fileOf(blob: Blob): Promise<File> {
  const buffer = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await blob.arrayBuffer());
  const now = new Date();
  const stamp = [now.getHours(), now.getMinutes(), now.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(".");
  return new File([wavOf(buffer.getChannelData(0), RATE)], `Recording ${stamp}.wav`, { type: "audio/wav" });
}
