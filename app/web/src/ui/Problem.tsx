/** A problem as a panel: one sentence, what to do, and a button that does it where there is one.
 * It is an alert to screen readers, and takes nothing else off the page. */
import type { ComponentChildren } from "preact";
import { sentenceOf } from "../api/problem";
import { Button } from "./Button";

interface ProblemProps {
  error: unknown;
  onClose?: () => void;
  floating?: boolean; // over the page's foot, where it moves nothing
  children?: ComponentChildren; // actions
}

export function Problem({ error, onClose, floating = false, children }: ProblemProps) {
  const { title, advice } = sentenceOf(error);
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
