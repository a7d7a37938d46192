/** The list of keys that work now, in a dialog (key `?`). */
import { Dialog } from "./Dialog";
import { shortcuts } from "./keys";

export function ShortcutHelp({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose} test="help">
      <dl class="keys">
        {shortcuts.value.flat().map((shortcut) => (
          <div key={shortcut.shown}>
            <dt>
              <kbd>{shortcut.shown}</kbd>
            </dt>
            <dd>{shortcut.does}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
