/** The header of every view: title, tabs, volume, help and theme. */
import { type Theme, theme, volume } from "./state/preferences";
import { hashOf, route, type View } from "./state/route";
import { leave, session } from "./state/session";
import { showProblem } from "./state/toasts";
import { Button } from "./ui/Button";
import { Icon, type IconName } from "./ui/icons";

const VIEWS: [View, string][] = [
  ["query", "Listen"],
  ["library", "Library"],
  ["map", "Map"],
];
const NEXT_THEME: Record<Theme, Theme> = { auto: "dark", dark: "light", light: "auto" };
const THEME_ICON: Record<Theme, IconName> = { auto: "auto", dark: "moon", light: "sun" };

/** The last address of each view, so that a tab returns to what it showed. */
const lastHash: Record<View, string> = {
  query: hashOf("query"),
  library: hashOf("library"),
  map: hashOf("map"),
};

export function Header({ onHelp }: { onHelp: () => void }) {
  const here = route.value;
  lastHash[here.view] = hashOf(here.view, here.id);
  return (
    <header class="top">
      <h1>
        <a class="brand" href={hashOf("query")} title="Back to the first screen">
          <span class="brand-mark" aria-hidden="true">
            <i />
            <i />
            <i />
            <i />
          </span>
          <span class="brand-words">Show Me the Instruments</span>
        </a>
      </h1>
      <nav class="tabs" aria-label="Views">
        {VIEWS.map(([view, label]) => (
          <a
            key={view}
            href={lastHash[view]}
            data-test={`tab-${view}`}
            aria-current={here.view === view ? "page" : undefined}
          >
            {label}
          </a>
        ))}
      </nav>
      <div class="top-tools">
        <label class="volume" title="Volume">
          <Icon name="volume" />
          <input
            type="range"
            min="0"
            max="1"
            step="0.02"
            aria-label="Volume"
            value={volume.value}
            onInput={(event) => {
              volume.value = Number(event.currentTarget.value);
            }}
          />
        </label>
        {session.value?.key_id && (
          <Button
            kind="quiet"
            icon="leave"
            label={`Sign out (${session.value.name})`}
            data-test="sign-out"
            onClick={() => void leave().catch(showProblem)}
          />
        )}
        <Button
          kind="quiet"
          icon="help"
          label="Keyboard shortcuts (?)"
          data-test="help-open"
          onClick={onHelp}
        />
        <Button
          kind="quiet"
          icon={THEME_ICON[theme.value]}
          label={`Theme: ${theme.value}`}
          data-test="theme"
          onClick={() => {
            theme.value = NEXT_THEME[theme.value];
          }}
        />
      </div>
    </header>
  );
}
