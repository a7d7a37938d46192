/** Entry point: styles, server polling and the App.
 * Lazy modules are prefetched after the first render, so that they work even if the server goes away. */
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/parts.css";

import { render } from "preact";
import { App } from "./App";
import { watchServer } from "./state/server";

const place = document.getElementById("app");
if (place) {
  watchServer();
  place.replaceChildren();
  render(<App />, place);
  const later = "requestIdleCallback" in window ? requestIdleCallback : setTimeout;
  later(() => void Promise.allSettled(lazyParts()));
}

function lazyParts(): Promise<unknown>[] {
  return [
    import("./query/drawWaveform"),
    import("./query/drawCurve"),
    import("./query/recording"),
    import("./library/LibraryView"),
    import("./map/MapView"),
    import("./keyboard/Keyboard"),
  ];
}
