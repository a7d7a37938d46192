/** A menu button after the ARIA pattern.
 * Arrow keys move, Enter selects, Escape or a click outside closes. */
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Button, type ButtonProps } from "./Button";
import { Icon, type IconName } from "./icons";

export interface MenuItem {
  label: string;
  hint?: string;
  icon?: IconName;
  onSelect: () => void;
  disabled?: boolean;
  test?: string;
}

type MenuProps = Pick<ButtonProps, "icon" | "kind" | "children" | "disabled" | "tabIndex"> & {
  label: string;
  items: readonly MenuItem[];
  test?: string;
  align?: "start" | "end";
};

export function Menu({ label, items, test = "menu", align = "end", ...button }: MenuProps) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const id = useId();
  useEffect(() => {
    if (!open) return;
    entries(box.current)[0]?.focus();
    const outside = (event: Event) => !box.current?.contains(event.target as Node) && setOpen(false);
    addEventListener("pointerdown", outside);
    return () => removeEventListener("pointerdown", outside);
  }, [open]);
  const close = () => {
    setOpen(false);
    box.current?.querySelector<HTMLElement>("[aria-haspopup]")?.focus();
  };
  return (
    <div class="menu" ref={box}>
      <Button
        {...button}
        label={label}
        data-test={test}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
      />
      {open && (
        <div
          id={id}
          class={`menu-list menu-${align}`}
          role="menu"
          tabIndex={-1}
          aria-label={label}
          onKeyDown={(event) => move(event, box.current, close)}
        >
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              data-test={item.test}
              disabled={item.disabled}
              onClick={() => {
                close();
                item.onSelect();
              }}
            >
              {item.icon && <Icon name={item.icon} />}
              <span>{item.label}</span>
              {item.hint && <small>{item.hint}</small>}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

function entries(box: HTMLElement | null): HTMLElement[] {
  return box ? [...box.querySelectorAll<HTMLElement>("[role=menuitem]:not(:disabled)")] : [];
}

function move(event: KeyboardEvent, box: HTMLElement | null, close: () => void): void {
  const all = entries(box);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape" || event.key === "Tab") close();
  else if (step)
    all[(all.indexOf(document.activeElement as HTMLElement) + step + all.length) % all.length]?.focus();
  if (event.key === "Escape" || step) {
    event.preventDefault();
    event.stopPropagation();
  }
}
