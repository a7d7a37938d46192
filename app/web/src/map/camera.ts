/** The camera over the map: gestures move it at once, buttons animate it unless the user prefers reduced motion. */
import { signal } from "@preact/signals";
import {
  fitAll,
  interpolate,
  type Place,
  panned,
  type Size,
  toPlane,
  type Viewport,
  zoomed,
} from "./geometry";

const GLIDE_MS = 180;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class Camera {
  readonly viewport = signal<Viewport>({ x: 0, y: 0, scale: 1 });
  readonly size = signal<Size>({ width: 0, height: 0 });
  whole: Viewport = { x: 0, y: 0, scale: 1 }; // the viewport that shows all points
  private frame = 0;

  /** Adapt to a new canvas size and new points; the centre stays in place. */
  fit(points: readonly Place[], size: Size): void {
    if (!size.width || !size.height) return;
    const before = this.whole;
    const first = this.size.value.width === 0;
    this.whole = fitAll(points, size);
    this.size.value = size;
    const { x, y, scale } = this.viewport.value;
    this.viewport.value = first ? this.whole : { x, y, scale: (scale * this.whole.scale) / before.scale };
  }

  pan(dx: number, dy: number): void {
    this.halt();
    this.viewport.value = panned(this.viewport.value, dx, dy, this.size.value, this.whole);
  }

  zoom(factor: number, at: Place): void {
    this.halt();
    this.viewport.value = zoomed(this.viewport.value, factor, at, this.size.value, this.whole);
  }

  /** Zoom about the centre, for the buttons. */
  step(factor: number): void {
    const { width, height } = this.size.value;
    const middle = { x: width / 2, y: height / 2 };
    this.glide(zoomed(this.viewport.value, factor, middle, this.size.value, this.whole));
  }

  showAll(): void {
    this.glide(this.whole);
  }

  /** Move until `place` is well within the canvas. */
  reveal(place: Place): void {
    const viewport = this.viewport.value;
    const { width, height } = this.size.value;
    const corner = toPlane({ x: width * 0.08, y: height * 0.1 }, viewport, this.size.value);
    const far = toPlane({ x: width * 0.92, y: height * 0.9 }, viewport, this.size.value);
    const inside = place.x > corner.x && place.x < far.x && place.y < corner.y && place.y > far.y;
    if (!inside) this.glide({ ...viewport, x: place.x, y: place.y });
  }

  private glide(to: Viewport): void {
    this.halt();
    if (STILL.matches) {
      this.viewport.value = to;
      return;
    }
    const from = this.viewport.value;
    const start = performance.now();
    const advance = (now: number) => {
      const share = Math.min(1, Math.max(0, (now - start) / GLIDE_MS));
      this.viewport.value = interpolate(from, to, 1 - (1 - share) ** 3);
      if (share < 1) this.frame = requestAnimationFrame(advance);
    };
    this.frame = requestAnimationFrame(advance);
  }

  private halt(): void {
    cancelAnimationFrame(this.frame);
  }
}
