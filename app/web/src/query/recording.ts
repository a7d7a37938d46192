/** Records from the microphone with wavesurfer's record plugin: live waveform in `box`, then a wav file. Loaded lazily. */
import WaveSurfer from "wavesurfer.js";
import RecordPlugin from "wavesurfer.js/plugins/record";
import { wavOf } from "../audio/wav";

const RATE = 44_100; // Hz, of the wav

export interface Recording {
  finish: () => Promise<File>;
  cancel: () => void;
}

/** Start recording. Rejects with a DOMException if there is no microphone or access is denied. */
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
    // Speech processing would damage music.
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

/** The DOMException behind the plugin's own error; its name tells the cause. */
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
