/** Routing by the address's hash, so that views and answers have links and the server serves one page.
 * `#/` and `#/q/ID`: query; `#/library[/ID]`: library; `#/map[/ID]`: map. */
import { signal } from "@preact/signals";

export type View = "query" | "library" | "map";

export interface Route {
  view: View;
  id: string | null;
}

/** Parse a hash; unknown hashes give the query view. */
export function routeOf(hash: string): Route {
  const [first = "", second = ""] = hash.replace(/^#\/?/, "").split("/");
  const id = second ? safelyDecoded(second) : null;
  if (first === "library" || first === "map") return { view: first, id };
  return { view: "query", id: first === "q" ? id : null };
}

/** The hash of a route. */
export function hashOf(view: View, id: string | null = null): string {
  const tail = id ? `/${encodeURIComponent(id)}` : "";
  if (view === "query") return id ? `#/q${tail}` : "#/";
  return `#/${view}${tail}`;
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const route = signal<Route>(routeOf(location.hash));
addEventListener("hashchange", () => {
  route.value = routeOf(location.hash);
});

/** Go to a view; `replace` adds no history entry. */
export function navigate(view: View, id: string | null = null, replace = false): void {
  const hash = hashOf(view, id);
  if (replace) history.replaceState(null, "", hash);
  else if (location.hash !== hash) history.pushState(null, "", hash);
  route.value = routeOf(hash);
}
