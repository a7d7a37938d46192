/** The map's geometry: plane coordinates (y up) to canvas coordinates (y down, CSS pixels), pan and zoom. */

export interface Place {
  x: number;
  y: number;
}

export interface Size {
  width: number; // CSS pixels
  height: number;
}

/** A viewport: the plane's point at the centre of the canvas, and the scale in pixels per unit. */
export interface Viewport extends Place {
  scale: number;
}

const MARGIN = 36; // pixels around all points
const CLOSEST = 40; // maximum zoom, relative to the viewport that shows all points

/** The viewport that shows all `points`. */
export function fitAll(points: readonly Place[], size: Size): Viewport {
  const xs = points.map(({ x }) => x);
  const ys = points.map(({ y }) => y);
  const [left, right] = [least(xs), -least(xs.map((x) => -x))];
  const [low, high] = [least(ys), -least(ys.map((y) => -y))];
  const width = Math.max(right - left, 0.2);
  const height = Math.max(high - low, 0.2);
  const scale = Math.min(
    Math.max(40, size.width - 2 * MARGIN) / width,
    Math.max(40, size.height - 2 * MARGIN) / height,
  );
  return { x: (left + right) / 2, y: (low + high) / 2, scale };
}

function least(values: readonly number[]): number {
  return values.length ? values.reduce((one, other) => Math.min(one, other)) : 0;
}

export function toCanvas({ x, y }: Place, viewport: Viewport, size: Size): Place {
  return {
    x: size.width / 2 + (x - viewport.x) * viewport.scale,
    y: size.height / 2 - (y - viewport.y) * viewport.scale,
  };
}

export function toPlane({ x, y }: Place, viewport: Viewport, size: Size): Place {
  return {
    x: viewport.x + (x - size.width / 2) / viewport.scale,
    y: viewport.y - (y - size.height / 2) / viewport.scale,
  };
}

/** Zoom by `factor` and keep the canvas position `at` fixed. */
export function zoomed(viewport: Viewport, factor: number, at: Place, size: Size, whole: Viewport): Viewport {
  const scale = Math.min(whole.scale * CLOSEST, Math.max(whole.scale * 0.8, viewport.scale * factor));
  const fixed = toPlane(at, viewport, size);
  return {
    scale,
    x: fixed.x - (at.x - size.width / 2) / scale,
    y: fixed.y + (at.y - size.height / 2) / scale,
  };
}

/** Pan by pixels; the points always stay in view. */
export function panned(viewport: Viewport, dx: number, dy: number, size: Size, whole: Viewport): Viewport {
  const reach = (pixels: number) => pixels / 2 / whole.scale;
  const held = (value: number, middle: number, pixels: number) =>
    Math.min(middle + reach(pixels), Math.max(middle - reach(pixels), value));
  return {
    scale: viewport.scale,
    x: held(viewport.x - dx / viewport.scale, whole.x, size.width),
    y: held(viewport.y + dy / viewport.scale, whole.y, size.height),
  };
}

/** Interpolate for an animation, `share` 0 to 1. The scale is interpolated geometrically, so that the zoom looks even. */
export function interpolate(from: Viewport, to: Viewport, share: number): Viewport {
  const mix = (one: number, other: number) => one + (other - one) * share;
  return { x: mix(from.x, to.x), y: mix(from.y, to.y), scale: from.scale * (to.scale / from.scale) ** share };
}

/** The nearest point in the direction of an arrow key, or null. Sideways distance counts double. */
export function neighbour<Point extends Place>(
  points: readonly Point[],
  from: Place,
  direction: Place, // a unit vector, y up
): Point | null {
  let best: Point | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const point of points) {
    const [dx, dy] = [point.x - from.x, point.y - from.y];
    const along = dx * direction.x + dy * direction.y;
    const aside = Math.abs(dx * direction.y - dy * direction.x);
    if (along <= 1e-9 || aside > 1.5 * along) continue;
    const distance = along + 2 * aside;
    if (distance < least) [best, least] = [point, distance];
  }
  return best;
}
