/** Where the map's canvas looks: set at once by gestures, glided to by buttons unless the user wants less motion. */
import { signal } from "@preact/signals";
import { between, everything, type Look, type Place, panned, type Size, toPlane, zoomed } from "./plane";

const GLIDE_MS = 180;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class Camera {
  readonly look = signal<Look>({ x: 0, y: 0, scale: 1 });
  readonly size = signal<Size>({ width: 0, height: 0 });
  whole: Look = { x: 0, y: 0, scale: 1 }; // the look that shows all points
  private frame = 0;

  /** The canvas has this size now, and these are the points: what was looked at stays in the middle. */
  fit(points: readonly Place[], size: Size): void {
    if (!size.width || !size.height) return;
    const before = this.whole;
    const first = this.size.value.width === 0;
    this.whole = everything(points, size);
    this.size.value = size;
    const { x, y, scale } = this.look.value;
    this.look.value = first ? this.whole : { x, y, scale: (scale * this.whole.scale) / before.scale };
  }

  pan(dx: number, dy: number): void {
    this.halt();
    this.look.value = panned(this.look.value, dx, dy, this.size.value, this.whole);
  }

  zoom(factor: number, at: Place): void {
    this.halt();
    this.look.value = zoomed(this.look.value, factor, at, this.size.value, this.whole);
  }

  /** By the buttons: about the middle. */
  step(factor: number): void {
    const { width, height } = this.size.value;
    const middle = { x: width / 2, y: height / 2 };
    this.glide(zoomed(this.look.value, factor, middle, this.size.value, this.whole));
  }

  showAll(): void {
    this.glide(this.whole);
  }

  /** Move so that `place` is well in sight. */
  reveal(place: Place): void {
    const look = this.look.value;
    const { width, height } = this.size.value;
    const corner = toPlane({ x: width * 0.08, y: height * 0.1 }, look, this.size.value);
    const far = toPlane({ x: width * 0.92, y: height * 0.9 }, look, this.size.value);
    const inside = place.x > corner.x && place.x < far.x && place.y < corner.y && place.y > far.y;
    if (!inside) this.glide({ ...look, x: place.x, y: place.y });
  }

  private glide(to: Look): void {
    this.halt();
    if (STILL.matches) {
      this.look.value = to;
      return;
    }
    const from = this.look.value;
    const start = performance.now();
    const advance = (now: number) => {
      const share = Math.min(1, Math.max(0, (now - start) / GLIDE_MS));
      this.look.value = between(from, to, 1 - (1 - share) ** 3);
      if (share < 1) this.frame = requestAnimationFrame(advance);
    };
    this.frame = requestAnimationFrame(advance);
  }

  private halt(): void {
    cancelAnimationFrame(this.frame);
  }
}
