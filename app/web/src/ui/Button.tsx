/** A button: words, an icon, or both; an icon alone must be given its `label`.
 * Everything else a button element takes is passed on. */
import type { ComponentChildren, JSX } from "preact";
import { Icon, type IconName } from "./icons";

export type ButtonProps = Omit<JSX.IntrinsicElements["button"], "icon" | "label"> & {
  icon?: IconName;
  label?: string; // the accessible name, also shown as a tooltip
  kind?: "plain" | "primary" | "quiet" | "danger";
  pressed?: boolean;
  children?: ComponentChildren;
};

export function Button({
  icon,
  label,
  kind = "plain",
  pressed,
  children,
  class: extra,
  ...rest
}: ButtonProps) {
  const classes = ["button", `button-${kind}`, children ? "" : "button-icon", extra ?? ""]
    .filter(Boolean)
    .join(" ");
  return (
    <button type="button" class={classes} aria-label={label} title={label} aria-pressed={pressed} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}
