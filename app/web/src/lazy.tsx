/** Loads components when they are first shown, which keeps the first view small.
 * A loaded component stays loaded; a failed load can be retried. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Button } from "./ui/Button";

export function lazy<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let loaded: ComponentType<Props> | null = null;
  return function Lazy(props: Props) {
    const [Component, setComponent] = useState<{ it: ComponentType<Props> | null }>({ it: loaded });
    const [failed, setFailed] = useState(false);
    useEffect(() => {
      if (Component.it || failed) return;
      load().then(
        (it) => {
          loaded = it;
          setComponent({ it });
        },
        () => setFailed(true),
      );
    }, [Component, failed]);
    if (Component.it) return <Component.it {...props} />;
    if (!failed) return <div class="view-loading" aria-busy="true" />;
    return (
      <div class="view-loading" role="alert">
        <p>This view could not be loaded. Is the server still running?</p>
        <Button onClick={() => setFailed(false)}>Try again</Button>
      </div>
    );
  };
}
