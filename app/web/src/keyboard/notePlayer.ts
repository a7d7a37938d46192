/** Plays the notes of one instrument, several at a time. The service renders each note; the page fetches it once. */
import { effect } from "@preact/signals";
import { noteUrl } from "../api/client";
import { fetchSound } from "../api/download";
import { audioContext } from "../audio/channel";
import { volume } from "../state/preferences";

const LAYERS = [40, 70, 100]; // velocities that are rendered; between them only the loudness changes
const HIGHEST_VELOCITY = 127;
const HEADROOM = 0.5; // of a single note, so that chords stay below the limiter for the most part
const RELEASE_SECONDS = 0.08; // time constant of the fade when a key is released
const LOADING = 4; // notes that are fetched at a time

interface Voice {
  source: AudioBufferSourceNode;
  gain: GainNode;
}

export class NotePlayer {
  private readonly context = audioContext();
  private readonly output: GainNode | null;
  private readonly notes = new Map<string, Promise<AudioBuffer>>();
  private readonly voices = new Map<number, Voice>(); // by pitch
  private readonly held = new Map<number, symbol>(); // the latest press of each pitch
  private readonly unfollow: () => void;

  constructor(private readonly instrument: string) {
    const { context } = this;
    const output = context?.createGain() ?? null;
    this.output = output;
    if (context) output?.connect(context.createDynamicsCompressor()).connect(context.destination);
    this.unfollow = effect(() => {
      if (output) output.gain.value = HEADROOM * volume.value;
    });
  }

  /** Fetch notes in this order; the service renders those around the first one with it. Rejects if the first one does. */
  async load(pitches: readonly number[], velocity: number): Promise<void> {
    const [first, ...rest] = pitches;
    if (first === undefined) return;
    await this.note(first, velocity);
    const others = rest.values();
    const fetchRest = async () => {
      for (const pitch of others) await this.note(pitch, velocity).catch(() => undefined); // tried again when it is pressed
    };
    await Promise.all(Array.from({ length: LOADING }, fetchRest));
  }

  /** Press a key: its note sounds, once it is loaded, until it ends or the key is released. */
  async press(pitch: number, velocity: number): Promise<void> {
    const press = Symbol();
    this.held.set(pitch, press);
    const buffer = await this.note(pitch, velocity);
    if (this.held.get(pitch) !== press || !this.context || !this.output) return;
    this.fade(pitch);
    const source = new AudioBufferSourceNode(this.context, { buffer });
    const gain = new GainNode(this.context, { gain: (velocity / HIGHEST_VELOCITY) ** 1.5 });
    source.connect(gain).connect(this.output);
    source.start();
    this.voices.set(pitch, { source, gain });
  }

  release(pitch: number): void {
    this.held.delete(pitch);
    this.fade(pitch);
  }

  close(): void {
    this.unfollow();
    for (const pitch of [...this.held.keys()]) this.release(pitch);
    setTimeout(() => this.output?.disconnect(), 1000);
  }

  private fade(pitch: number): void {
    const voice = this.voices.get(pitch);
    if (!voice || !this.context) return;
    this.voices.delete(pitch);
    const now = this.context.currentTime;
    voice.gain.gain.setTargetAtTime(0, now, RELEASE_SECONDS);
    voice.source.stop(now + 10 * RELEASE_SECONDS);
  }

  private note(pitch: number, velocity: number): Promise<AudioBuffer> {
    const layer = LAYERS.find((one) => velocity <= one) ?? Math.max(...LAYERS);
    const url = noteUrl(this.instrument, pitch, layer);
    const known = this.notes.get(url);
    if (known) return known;
    const loading = this.fetch(url);
    this.notes.set(url, loading);
    loading.catch(() => this.notes.delete(url));
    return loading;
  }

  private async fetch(url: string): Promise<AudioBuffer> {
    const bytes = await (await fetchSound(url)).arrayBuffer();
    if (!this.context) throw new Error("this browser plays no notes");
    return this.context.decodeAudioData(bytes);
  }
}
