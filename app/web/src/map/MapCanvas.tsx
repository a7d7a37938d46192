/** The map's canvas; redraws at most once per frame when its data changes. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { MapPoint } from "../api/types";
import { theme } from "../state/preferences";
import { Button } from "../ui/Button";
import type { Camera } from "./camera";
import { draw, type Scene } from "./draw";
import { toPlane } from "./geometry";
import { listenToGestures } from "./gestures";
import { Grid } from "./grid";
import { type Palette, readPalette } from "./palette";

const REACH_PIXELS = 14; // maximum distance between pointer and point
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
      const viewport = camera.viewport.value;
      const place = toPlane(at, viewport, camera.size.value);
      return grid.nearest(place, REACH_PIXELS / viewport.scale, latest.current.scene.isShown);
    };
    return listenToGestures(element, {
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
  const viewport = camera.viewport.value;
  const size = camera.size.value;
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || !size.width) return;
    const frame = requestAnimationFrame(() => {
      palette.current ??= readPalette(element);
      context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
      draw(context, scene, viewport, camera.whole, size, palette.current);
    });
    return () => cancelAnimationFrame(frame);
  }, [scene, viewport, size, theme.value, dark]);
  return (
    <div class="map-stage">
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: a custom widget whose label lists its keys */}
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
