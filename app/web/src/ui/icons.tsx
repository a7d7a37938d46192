/** The page's icons: our own strokes on a 16 × 16 grid, in the surrounding text colour.
 * They are hidden from screen readers; the control around an icon carries the name. */
import type { JSX } from "preact";

const PATHS = {
  play: <path d="M5 3.2v9.6L12.6 8z" fill="currentColor" stroke-linejoin="round" />,
  pause: <path d="M5.2 3.5v9M10.8 3.5v9" stroke-width="2.4" />,
  stop: <rect x="4.2" y="4.2" width="7.6" height="7.6" rx="1.2" fill="currentColor" />,
  search: <path d="M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10.3 10.3 14 14" />,
  close: <path d="m4 4 8 8M12 4l-8 8" />,
  check: <path d="m3 8.5 3.4 3.4L13 4.8" />,
  lock: <path d="M4 7.2h8v6H4zM5.6 7V5a2.4 2.4 0 0 1 4.8 0v2" />,
  unlock: <path d="M4 7.2h8v6H4zM5.6 7V4.6a2.4 2.4 0 0 1 4.5-1.1" />,
  like: <path d="M2.5 5.5h7M2.5 8.5h5M2.5 11.5h3M11.5 7.5v6M8.5 10.5h6" />,
  not: <path d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM3.8 3.8l8.4 8.4" />,
  upload: <path d="M8 10.5v-8M4.8 5.6 8 2.4l3.2 3.2M2.5 10.5v3h11v-3" />,
  download: <path d="M8 2.5v8M4.8 7.4 8 10.6l3.2-3.2M2.5 10.5v3h11v-3" />,
  mic: (
    <path d="M8 10a2.2 2.2 0 0 0 2.2-2.2V4.2a2.2 2.2 0 0 0-4.4 0v3.6A2.2 2.2 0 0 0 8 10ZM3.5 7.5a4.5 4.5 0 0 0 9 0M8 12v2" />
  ),
  link: (
    <path d="M6.7 9.3 9.3 6.7M7.2 4.7l1.6-1.6a2.9 2.9 0 0 1 4.1 4.1l-1.6 1.6M8.8 11.3l-1.6 1.6a2.9 2.9 0 0 1-4.1-4.1l1.6-1.6" />
  ),
  history: <path d="M2.8 8a5.2 5.2 0 1 0 1.6-3.8L2.6 5.9M2.6 2.8v3.1h3.1M8 5.2V8l2 1.4" />,
  loop: (
    <path d="M3 8.5V7a2.5 2.5 0 0 1 2.5-2.5H13M10.8 2.2 13.2 4.5 10.8 6.8M13 7.5V9a2.5 2.5 0 0 1-2.5 2.5H3M5.2 13.8 2.8 11.5l2.4-2.3" />
  ),
  undo: <path d="M3 6.5h6.5a3.5 3.5 0 0 1 0 7H6M5.8 3.5l-3 3 3 3" />,
  more: <path d="M3.5 8h.01M8 8h.01M12.5 8h.01" stroke-width="2.2" stroke-linecap="round" />,
  chevron: <path d="m4.5 6.2 3.5 3.6 3.5-3.6" />,
  sun: (
    <path d="M8 10.6a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2ZM8 1.8v1.4M8 12.8v1.4M1.8 8h1.4M12.8 8h1.4M3.6 3.6l1 1M11.4 11.4l1 1M12.4 3.6l-1 1M4.6 11.4l-1 1" />
  ),
  moon: <path d="M13.2 9.6A5.6 5.6 0 0 1 6.4 2.8a5.6 5.6 0 1 0 6.8 6.8Z" />,
  auto: (
    <>
      <circle cx="8" cy="8" r="5.6" />
      <path d="M8 2.4a5.6 5.6 0 0 1 0 11.2Z" fill="currentColor" />
    </>
  ),
  help: (
    <path d="M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM6.3 6.4a1.8 1.8 0 1 1 2.6 1.7c-.6.3-.9.6-.9 1.3M8 11.3h.01" />
  ),
  plus: <path d="M8 3v10M3 8h10" />,
  minus: <path d="M3 8h10" />,
  fit: <path d="M2.8 6V2.8H6M10 2.8h3.2V6M13.2 10v3.2H10M6 13.2H2.8V10" />,
  edit: <path d="m3 13 .6-2.8L10.8 3l2.2 2.2-7.2 7.2zM9.4 4.4l2.2 2.2" />,
  trash: <path d="M3 4.5h10M6.3 4.3V2.8h3.4v1.5M4.5 4.7l.6 8.5h5.8l.6-8.5" />,
  copy: <path d="M5.5 5.5h7v8h-7zM3.5 10.5v-8h7" />,
  volume: (
    <path d="M2.5 6.2v3.6h2.3L8 12.6V3.4L4.8 6.2zM10.4 5.8a3.2 3.2 0 0 1 0 4.4M12.2 4a5.7 5.7 0 0 1 0 8" />
  ),
  leave: <path d="M6.5 2.8H3v10.4h3.5M7 8h6.4M10.6 5.2 13.4 8l-2.8 2.8" />,
  share: (
    <path d="M8 6.2a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM4 13.4a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM12 13.4a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM7 6l-2.1 3.6M9 6l2.1 3.6" />
  ),
  keys: <path d="M2.5 3.5h11v9h-11zM6.2 3.5v9M9.8 3.5v9M6.2 3.5v5M9.8 3.5v5" />,
  back: <path d="M9.8 3.5 5.2 8l4.6 4.5" />,
  star: (
    <path d="m8 2.2 1.8 3.7 4 .6-2.9 2.8.7 4L8 11.4l-3.6 1.9.7-4L2.2 6.5l4-.6z" stroke-linejoin="round" />
  ),
  folder: <path d="M2.2 12.8v-9h4.2l1.4 1.7h6v7.3z" />,
} satisfies Record<string, JSX.Element>;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width={size} height={size} aria-hidden="true" focusable="false">
      {PATHS[name]}
    </svg>
  );
}
