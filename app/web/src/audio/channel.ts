/** One media element with a gain node: for the reference, for what plays in its place, or for a preview.
 * Some browsers ignore an element's volume, so the gain is a WebAudio node; without WebAudio the volume is used. */

let context: AudioContext | null = null;

/** The page's audio context, created at the first sound because browsers require a gesture. */
export function audioContext(): AudioContext | null {
  if (!context && typeof AudioContext !== "undefined") {
    try {
      context = new AudioContext();
    } catch {
      return null;
    }
  }
  if (context?.state === "suspended") void context.resume();
  return context;
}

export class Channel {
  readonly element = new Audio();
  private gain: GainNode | null = null;
  private wanted = 1;

  constructor(name: string) {
    this.element.preload = "auto";
    this.element.dataset.test = `audio-${name}`;
    document.body.append(this.element); // invisible without controls
  }

  get url(): string | null {
    return this.element.getAttribute("src");
  }

  /** The node that the element plays into; null before its first sound, and without WebAudio. */
  get output(): GainNode | null {
    return this.gain;
  }

  load(url: string | null): void {
    if (this.url === url) return;
    this.element.pause();
    if (url) this.element.src = url;
    else this.element.removeAttribute("src");
    this.element.load();
  }

  /** Set the gain, 0 to 1, with a short ramp that avoids clicks. */
  setGain(value: number): void {
    this.wanted = value;
    if (this.gain && context) this.gain.gain.setTargetAtTime(value, context.currentTime, 0.01);
    else this.element.volume = value;
  }

  async play(): Promise<void> {
    this.connect();
    await this.element.play();
  }

  private connect(): void {
    const output = audioContext();
    if (!output || this.gain) return;
    this.gain = output.createGain();
    this.gain.gain.value = this.wanted;
    this.element.volume = 1;
    output.createMediaElementSource(this.element).connect(this.gain).connect(output.destination);
  }
}
