/** Where the page begins: styles, the watch over the service, and the App.
 * What is loaded when first shown is fetched once the first view stands, so that a server that goes away takes none of it. */
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
    import("./query/wave"),
    import("./query/curve"),
    import("./query/recording"),
    import("./library/LibraryView"),
    import("./map/MapView"),
  ];
}
