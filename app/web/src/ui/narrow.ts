/** Whether the window is as narrow as a phone; styles/narrow.css has the same limit. */
import { signal } from "@preact/signals";

const query = matchMedia("(max-width: 620px)");

export const narrow = signal(query.matches);

query.addEventListener("change", () => {
  narrow.value = query.matches;
});
