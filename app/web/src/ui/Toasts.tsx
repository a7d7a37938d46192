/** The toasts as a live region, with an undo button where an action can be undone. */
import { dismiss, toasts } from "../state/toasts";
import { Button } from "./Button";

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite" aria-label="Messages">
      {toasts.value.map((toast) => (
        <div key={toast.id} class={`toast toast-${toast.tone}`} data-test="toast">
          <span>{toast.text}</span>
          {toast.undo && (
            <Button kind="quiet" icon="undo" data-test="undo" onClick={toast.undo}>
              Undo
            </Button>
          )}
          <Button kind="quiet" icon="close" label="Dismiss" onClick={() => dismiss(toast.id)} />
        </div>
      ))}
    </div>
  );
}
