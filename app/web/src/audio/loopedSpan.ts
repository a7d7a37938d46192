/** Repeats a span of a sound without a gap, by an AudioBufferSourceNode: a media element has to seek back for that. */
import type { Span } from "../api/types";
import { audioContext } from "./channel";

const LONGEST_LOOP_SECONDS = 60; // in memory at the output's rate: 23 MB in stereo
const LONGEST_DECODED_SECONDS = 600; // all of a sound is decoded for a span of it

/** Where a span of `length` seconds is, `elapsed` seconds after it began at its start. */
export const placeInLoop = (elapsed: number, length: number): number => Math.max(0, elapsed) % length;

/** Whether a span of a sound of `duration` seconds is short enough to be repeated from memory. */
export function fitsLoop([start, end]: Span, duration: number): boolean {
  return end > start && end - start <= LONGEST_LOOP_SECONDS && duration <= LONGEST_DECODED_SECONDS;
}

/** The samples of a span of `whole`, in seconds. */
export function cutSpan(whole: AudioBuffer, [start, end]: Span): AudioBuffer {
  const first = Math.round(start * whole.sampleRate);
  const last = Math.min(whole.length, Math.round(end * whole.sampleRate));
  const { numberOfChannels, sampleRate } = whole;
  const cut = new AudioBuffer({ length: last - first, numberOfChannels, sampleRate });
  for (let channel = 0; channel < numberOfChannels; channel++)
    cut.copyToChannel(whole.getChannelData(channel).subarray(first, last), channel);
  return cut;
}

export class LoopedSpan {
  private wanted = ""; // the sound and the span that are prepared
  private buffer: AudioBuffer | null = null; // null: not ready, or this browser cannot decode it
  private source: AudioBufferSourceNode | null = null;
  private began = 0; // in the context's time

  get plays(): boolean {
    return this.source !== null;
  }

  /** Seconds into the span. */
  get time(): number {
    const { source, buffer } = this;
    return source && buffer ? placeInLoop(source.context.currentTime - this.began, buffer.duration) : 0;
  }

  /** Decode a span of the sound at `url`, in its seconds, if it is short enough and not decoded yet. */
  prepare(url: string, bytes: () => Promise<ArrayBuffer>, span: Span, duration: number): void {
    const output = audioContext();
    const wanted = `${url} ${span}`;
    if (wanted === this.wanted || !output || !fitsLoop(span, duration)) return;
    this.stop();
    this.wanted = wanted;
    this.buffer = null;
    void this.decode(output, bytes, span)
      .catch(() => null)
      .then((buffer) => {
        if (this.wanted === wanted) this.buffer = buffer;
      });
  }

  private async decode(
    output: AudioContext,
    bytes: () => Promise<ArrayBuffer>,
    span: Span,
  ): Promise<AudioBuffer> {
    return cutSpan(await output.decodeAudioData(await bytes()), span);
  }

  /** Play the prepared span from its start, again and again, into a node; false if it is not ready. */
  play(into: AudioNode | null): boolean {
    this.stop();
    if (!into || !this.buffer) return false;
    this.source = new AudioBufferSourceNode(into.context, { buffer: this.buffer, loop: true });
    this.source.connect(into);
    this.source.start();
    this.began = into.context.currentTime;
    return true;
  }

  stop(): void {
    this.source?.stop();
    this.source?.disconnect();
    this.source = null;
  }
}
