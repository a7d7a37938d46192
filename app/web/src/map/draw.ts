/** Draws the map: points by family, labels where they fit, highlights, and the query's slots.
 * All points of one family are one path: 5,000 points take a few milliseconds. */
import type { MapPoint } from "../api/types";
import { type Place, type Size, toCanvas, type Viewport } from "./geometry";
import type { Palette } from "./palette";
import type { Mark } from "./slotMarks";

export interface Scene {
  points: readonly MapPoint[];
  isShown: (point: MapPoint) => boolean;
  pointed: MapPoint | null;
  chosen: MapPoint | null;
  similar: readonly MapPoint[]; // to the chosen one
  marks: readonly Mark[];
}

type Canvas = CanvasRenderingContext2D;

const MOST_NAMES = 60; // visible; beyond this number, points have no labels
const LINE_PIXELS = 15;
const MARK_PIXELS = 13; // from a mark's centre to its corners
const FONT = "12px system-ui, sans-serif";

/** The radius of a point in pixels; it grows as you zoom in. */
export function radiusOf(count: number, viewport: Viewport, whole: Viewport): number {
  const crowd = count > 2000 ? 2.4 : count > 500 ? 3.2 : 4.6;
  return Math.min(8, crowd * (viewport.scale / whole.scale) ** 0.3);
}

export function draw(
  canvas: Canvas,
  scene: Scene,
  viewport: Viewport,
  whole: Viewport,
  size: Size,
  palette: Palette,
): void {
  canvas.clearRect(0, 0, size.width, size.height);
  canvas.font = FONT;
  canvas.textBaseline = "middle";
  const radius = radiusOf(scene.points.length, viewport, whole);
  const place = (point: Place) => toCanvas(point, viewport, size);
  const inSight = scene.points.filter((point) => {
    const { x, y } = place(point);
    return x > -20 && y > -20 && x < size.width + 20 && y < size.height + 20;
  });
  const shown = inSight.filter(scene.isShown);
  dots(
    canvas,
    inSight.filter((point) => !scene.isShown(point)),
    place,
    radius * 0.6,
    () => palette.quiet,
    0.22,
  );
  links(canvas, scene, place, palette);
  dots(canvas, shown, place, radius, palette.family, 0.88);
  for (const point of scene.similar) ring(canvas, place(point), radius + 3, palette.text, 1);
  if (scene.chosen) ring(canvas, place(scene.chosen), radius + 5, palette.accent, 2.5);
  if (scene.pointed) ring(canvas, place(scene.pointed), radius + 4, palette.text, 2);
  names(canvas, scene, shown, place, radius, size, palette);
  marks(canvas, scene.marks, place, palette);
}

function dots(
  canvas: Canvas,
  points: readonly MapPoint[],
  place: (point: Place) => Place,
  radius: number,
  colour: (family: string | null) => string,
  alpha: number,
): void {
  const byFamily = groups(points);
  canvas.globalAlpha = alpha;
  for (const [family, members] of byFamily) {
    canvas.fillStyle = colour(family);
    canvas.beginPath();
    for (const point of members) {
      const { x, y } = place(point);
      canvas.moveTo(x + radius, y);
      canvas.arc(x, y, radius, 0, 2 * Math.PI);
    }
    canvas.fill();
  }
  canvas.globalAlpha = 1;
}

function groups(points: readonly MapPoint[]): Map<string | null, MapPoint[]> {
  const found = new Map<string | null, MapPoint[]>();
  for (const point of points) {
    const there = found.get(point.family);
    if (there) there.push(point);
    else found.set(point.family, [point]);
  }
  return found;
}

/** Thin lines from the chosen point to similar ones. */
function links(canvas: Canvas, scene: Scene, place: (point: Place) => Place, palette: Palette): void {
  if (!scene.chosen) return;
  const from = place(scene.chosen);
  canvas.strokeStyle = palette.accent;
  canvas.lineWidth = 1;
  canvas.globalAlpha = 0.55;
  canvas.beginPath();
  for (const point of scene.similar) {
    const to = place(point);
    canvas.moveTo(from.x, from.y);
    canvas.lineTo(to.x, to.y);
  }
  canvas.stroke();
  canvas.globalAlpha = 1;
}

function ring(canvas: Canvas, { x, y }: Place, radius: number, colour: string, width: number): void {
  canvas.strokeStyle = colour;
  canvas.lineWidth = width;
  canvas.beginPath();
  canvas.arc(x, y, radius, 0, 2 * Math.PI);
  canvas.stroke();
}

/** The query's slots: numbered diamonds in the colours of their lanes. */
function marks(canvas: Canvas, all: readonly Mark[], place: (point: Place) => Place, palette: Palette): void {
  canvas.textAlign = "center";
  canvas.font = `600 ${FONT}`;
  for (const mark of all) {
    const { x, y } = place(mark);
    canvas.beginPath();
    for (const [dx, dy] of [
      [0, -MARK_PIXELS],
      [MARK_PIXELS, 0],
      [0, MARK_PIXELS],
      [-MARK_PIXELS, 0],
    ] as const)
      canvas.lineTo(x + dx, y + dy);
    canvas.closePath();
    canvas.fillStyle = palette.lane(mark.colour);
    canvas.strokeStyle = palette.ground;
    canvas.lineWidth = 2.5;
    canvas.stroke();
    canvas.fill();
    canvas.fillStyle = palette.ground;
    canvas.fillText(String(mark.number), x, y + 0.5);
  }
  canvas.textAlign = "start";
  canvas.font = FONT;
}

/** The space of a label; labels are one line high. */
interface Box {
  left: number;
  right: number;
  y: number;
}

function isFree(box: Box, taken: readonly Box[]): boolean {
  return taken.every(
    (other) => box.right < other.left || box.left > other.right || Math.abs(box.y - other.y) > LINE_PIXELS,
  );
}

/** Labels: always for the hovered and chosen points, for others where they fit. */
function names(
  canvas: Canvas,
  scene: Scene,
  shown: readonly MapPoint[],
  place: (point: Place) => Place,
  radius: number,
  size: Size,
  palette: Palette,
): void {
  const taken: Box[] = scene.marks.map((mark) => {
    const { x, y } = place(mark);
    return { left: x - MARK_PIXELS, right: x + MARK_PIXELS, y };
  });
  const first = [scene.pointed, scene.chosen, ...scene.similar].filter((point) => point !== null);
  const others = shown.length <= MOST_NAMES ? shown : [];
  const sure = new Set<MapPoint>([scene.pointed, scene.chosen].filter((point) => point !== null));
  for (const point of new Set([...first, ...others])) {
    const { x, y } = place(point);
    const width = canvas.measureText(point.name).width;
    const sides = [x + radius + 6, x - radius - 6 - width].map((left) => ({ left, right: left + width, y }));
    const inside = sides.filter((side) => side.left > 0 && side.right < size.width);
    const box =
      inside.find((side) => isFree(side, taken)) ?? (sure.has(point) ? (inside[0] ?? sides[0]) : null);
    if (!box) continue;
    const { left } = box;
    taken.push(box);
    canvas.lineWidth = 4;
    canvas.strokeStyle = palette.ground;
    canvas.lineJoin = "round";
    canvas.strokeText(point.name, left, y);
    canvas.fillStyle = sure.has(point) ? palette.text : palette.quiet;
    canvas.fillText(point.name, left, y);
  }
}
