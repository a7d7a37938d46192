/** Edits a name in place: Enter and blur save, Escape cancels.
 * If the service rejects the name, the field stays open with the typed text, and says why. */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { describeProblem } from "../api/problem";

interface NameEditProps {
  value: string;
  label: string;
  onSave: (name: string) => Promise<void>;
  onClose: () => void;
  placeholder?: string;
  test?: string;
}

export function NameEdit({ value, label, onSave, onClose, placeholder, test = "name-edit" }: NameEditProps) {
  const input = useRef<HTMLInputElement>(null);
  const [saving, setSaving] = useState(false);
  const [refused, setRefused] = useState<{ name: string; why: string } | null>(null);
  const why = useId();
  useEffect(() => input.current?.select(), []);
  const save = async (leaves = false) => {
    const name = input.current?.value.trim() ?? "";
    if (saving) return;
    if (!name || name === value || (leaves && name === refused?.name)) return onClose();
    setSaving(true);
    try {
      await onSave(name);
      onClose();
    } catch (error) {
      setSaving(false);
      const { title, advice } = describeProblem(error);
      setRefused({ name, why: `${title} ${advice}`.trim() });
      input.current?.focus();
    }
  };
  return (
    <span class="name-field">
      <input
        ref={input}
        class="input name-edit"
        data-test={test}
        aria-label={label}
        aria-invalid={refused !== null}
        aria-describedby={refused ? why : undefined}
        placeholder={placeholder}
        defaultValue={value}
        maxLength={200}
        readOnly={saving}
        autoComplete="off"
        onInput={() => setRefused(null)}
        onBlur={() => void save(true)}
        onKeyDown={(event) => {
          if (event.key === "Enter") void save();
          if (event.key === "Escape") onClose();
          if (event.key === "Enter" || event.key === "Escape") event.preventDefault();
          event.stopPropagation();
        }}
      />
      {refused && (
        <span id={why} class="name-fault" role="alert" data-test="name-fault">
          {refused.why}
        </span>
      )}
    </span>
  );
}
