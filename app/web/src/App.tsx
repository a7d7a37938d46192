/** The whole page: header, current view, toasts and help.
 * The query view stays mounted while another view is shown: its answer, scroll position and running query survive. */
import { useMemo, useState } from "preact/hooks";
import { Header } from "./Header";
import { played } from "./keyboard/played";
import { lazy } from "./lazy";
import { QueryView } from "./query/QueryView";
import { ServerBanner } from "./ServerBanner";
import { route } from "./state/route";
import { mustSignIn } from "./state/session";
import { undoLast } from "./state/toasts";
import { ShortcutHelp } from "./ui/ShortcutHelp";
import { useShortcuts } from "./ui/shortcuts";
import { Toasts } from "./ui/Toasts";

const LibraryView = lazy(() => import("./library/LibraryView").then((module) => module.LibraryView));
const SignIn = lazy(() => import("./SignIn").then((module) => module.SignIn));
const Keyboard = lazy(() => import("./keyboard/Keyboard").then((module) => module.Keyboard));
const MapView = lazy(() => import("./map/MapView").then((module) => module.MapView));

export function App() {
  const [help, setHelp] = useState(false);
  const keys = useMemo(
    () => [
      { keys: ["?"], shown: "?", does: "show this list", run: () => setHelp(true) },
      { keys: ["Ctrl+z"], shown: "Ctrl Z", does: "undo", run: () => void undoLast() },
    ],
    [],
  );
  useShortcuts(keys);
  const { view, id } = route.value;
  if (mustSignIn.value) return <SignIn />;
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <Header onHelp={() => setHelp(true)} />
      <ServerBanner />
      <main id="main" tabIndex={-1}>
        <div hidden={view !== "query"}>
          <QueryView shown={view === "query"} id={view === "query" ? id : null} />
        </div>
        {view === "library" && <LibraryView id={id} />}
        {view === "map" && <MapView id={id} />}
      </main>
      {played.value && <Keyboard key={played.value.id} instrument={played.value} />}
      <Toasts />
      {help && <ShortcutHelp onClose={() => setHelp(false)} />}
    </>
  );
}
