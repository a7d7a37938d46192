/** Where the page begins: styles, the watch over the service, and the App. */
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
}
