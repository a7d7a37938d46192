/** The map itself: a canvas that is drawn again whenever what it shows changes, at most once per frame. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { MapPoint } from "../api/types";
import { theme } from "../state/preferences";
import { Button } from "../ui/Button";
import type { Camera } from "./camera";
import { draw, type Scene } from "./draw";
import { listen } from "./gestures";
import { Grid } from "./grid";
import { type Palette, paletteOf } from "./palette";
import { toPlane } from "./plane";

const REACH_PIXELS = 14; // how far beside a point still hits it
const STEP = 1.6;
const DARK = matchMedia("(prefers-color-scheme: dark)");

interface MapCanvasProps {
  scene: Scene;
  camera: Camera;
  label: string;
  onPoint: (point: MapPoint | null) => void;
  onChoose: (point: MapPoint | null) => void;
}

export function MapCanvas({ scene, camera, label, onPoint, onChoose }: MapCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const palette = useRef<Palette | null>(null);
  const latest = useRef({ scene, onPoint, onChoose });
  latest.current = { scene, onPoint, onChoose };
  const grid = useMemo(() => new Grid(scene.points), [scene.points]);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = element;
      element.width = Math.round(width * devicePixelRatio);
      element.height = Math.round(height * devicePixelRatio);
      camera.fit(scene.points, { width, height });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [camera, scene.points]);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const hit = (at: { x: number; y: number }) => {
      const look = camera.look.value;
      const place = toPlane(at, look, camera.size.value);
      return grid.nearest(place, REACH_PIXELS / look.scale, latest.current.scene.isShown);
    };
    return listen(element, {
      onPoint: (at) => {
        const point = at && hit(at);
        element.style.cursor = point ? "pointer" : "";
        latest.current.onPoint(point);
      },
      onClick: (at) => latest.current.onChoose(hit(at)),
      onPan: (dx, dy) => camera.pan(dx, dy),
      onZoom: (factor, at) => camera.zoom(factor, at),
    });
  }, [camera, grid]);
  const [dark, setDark] = useState(DARK.matches);
  useEffect(() => {
    const follow = () => setDark(DARK.matches);
    DARK.addEventListener("change", follow);
    return () => DARK.removeEventListener("change", follow);
  }, []);
  useEffect(() => {
    palette.current = null;
  }, [theme.value, dark]);
  const look = camera.look.value;
  const size = camera.size.value;
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || !size.width) return;
    const frame = requestAnimationFrame(() => {
      palette.current ??= paletteOf(element);
      context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
      draw(context, scene, look, camera.whole, size, palette.current);
    });
    return () => cancelAnimationFrame(frame);
  }, [scene, look, size, theme.value, dark]);
  return (
    <div class="map-stage">
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: an application of its own, with keys that its label tells */}
      <canvas
        ref={canvas}
        class="map-canvas"
        data-test="map-canvas"
        role="application"
        tabIndex={0}
        aria-label={label}
      />
      <div class="map-zoom">
        <Button icon="plus" label="Zoom in (+)" data-test="zoom-in" onClick={() => camera.step(STEP)} />
        <Button
          icon="minus"
          label="Zoom out (−)"
          data-test="zoom-out"
          onClick={() => camera.step(1 / STEP)}
        />
        <Button icon="fit" label="Show all (0)" data-test="zoom-all" onClick={() => camera.showAll()} />
      </div>
    </div>
  );
}
