/** Edits a name in place: Enter and blur save, Escape cancels.
 * If the service rejects the name, the field stays open with the typed text. */
import { useEffect, useRef, useState } from "preact/hooks";
import { showProblem } from "../state/toasts";

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
  useEffect(() => input.current?.select(), []);
  const save = async () => {
    const name = input.current?.value.trim() ?? "";
    if (saving) return;
    if (!name || name === value) return onClose();
    setSaving(true);
    try {
      await onSave(name);
      onClose();
    } catch (error) {
      setSaving(false);
      showProblem(error);
      input.current?.focus();
    }
  };
  return (
    <input
      ref={input}
      class="input name-edit"
      data-test={test}
      aria-label={label}
      placeholder={placeholder}
      defaultValue={value}
      maxLength={200}
      readOnly={saving}
      autoComplete="off"
      onBlur={() => void save()}
      onKeyDown={(event) => {
        if (event.key === "Enter") void save();
        if (event.key === "Escape") onClose();
        if (event.key === "Enter" || event.key === "Escape") event.preventDefault();
        event.stopPropagation();
      }}
    />
  );
}
