/** A problem as an alert panel: one sentence, advice, and an action where there is one. */
import type { ComponentChildren } from "preact";
import { describeProblem } from "../api/problem";
import { Button } from "./Button";

interface ProblemProps {
  error: unknown;
  onClose?: () => void;
  floating?: boolean; // over the bottom of the page, without moving anything
  children?: ComponentChildren; // action buttons
}

export function Problem({ error, onClose, floating = false, children }: ProblemProps) {
  const { title, advice } = describeProblem(error);
  return (
    <section class={floating ? "problem problem-floating" : "problem"} role="alert" data-test="problem">
      <div>
        <strong>{title}</strong> {advice}
      </div>
      <div class="problem-actions">
        {children}
        {onClose && <Button kind="quiet" icon="close" label="Dismiss" onClick={onClose} />}
      </div>
    </section>
  );
}
