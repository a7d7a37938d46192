/** The dialog that lists the active keyboard shortcuts (key `?`). */
import { Dialog } from "./Dialog";
import { shortcuts } from "./shortcuts";

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
