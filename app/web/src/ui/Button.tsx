/** A button with text, an icon, or both; an icon alone needs a `label`.
 * Other props go to the button element. */
import type { ComponentChildren, JSX } from "preact";
import { Icon, type IconName } from "./icons";

export type ButtonProps = Omit<JSX.IntrinsicElements["button"], "icon" | "label"> & {
  icon?: IconName;
  label?: string; // the accessible name and tooltip
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
