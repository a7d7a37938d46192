/** The colours of styles/tokens.css for the canvas, resolved for the current theme. */

export interface Palette {
  family: (name: string | null) => string;
  lane: (number: number) => string;
  text: string;
  quiet: string;
  ground: string;
  accent: string;
}

/** Read the colours from `element`; repeat after a theme change. */
export function readPalette(element: HTMLElement): Palette {
  const known = new Map<string, string>();
  const token = (name: string): string => {
    let colour = known.get(name);
    if (colour === undefined) {
      element.style.color = `var(--${name}, var(--family-none))`;
      colour = getComputedStyle(element).color;
      element.style.color = "";
      known.set(name, colour);
    }
    return colour;
  };
  return {
    family: (name) => token(`family-${name ?? "none"}`),
    lane: (number) => token(`lane-${number}`),
    text: token("text"),
    quiet: token("text-quiet"),
    ground: token("surface"),
    accent: token("accent"),
  };
}
