/** The first screen of a service that needs a key: exchanges one for a session. The page keeps the key nowhere. */
import { useSignal } from "@preact/signals";
import type { TargetedSubmitEvent } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { describeProblem } from "./api/problem";
import { enter } from "./state/session";
import { Button } from "./ui/Button";
import "./styles/signin.css";

export function SignIn() {
  const input = useRef<HTMLInputElement>(null);
  const words = useSignal("");
  const busy = useSignal(false);
  const said = useId();
  useEffect(() => input.current?.focus(), []);
  const submit = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const key = input.current?.value.trim() ?? "";
    if (!key || busy.value) return;
    busy.value = true;
    words.value = "";
    try {
      await enter(key, (seconds) => {
        words.value = `Too many wrong keys came from here. Trying again in ${seconds} s.`;
      });
    } catch (error) {
      const { title, advice } = describeProblem(error);
      words.value = `${title} ${advice}`.trim();
      busy.value = false;
      input.current?.select();
    }
  };
  return (
    <main id="main" class="sign-in">
      <form data-test="sign-in" aria-busy={busy.value} onSubmit={(event) => void submit(event)}>
        <div class="drop-lanes" aria-hidden="true">
          <i />
          <i />
          <i />
          <i />
        </div>
        <h1>Show Me the Instruments</h1>
        <p class="quiet">
          This service needs a key. Whoever runs it makes one with <code>showme keys create</code>.
        </p>
        <input type="text" value="showme" autoComplete="username" hidden readOnly />
        <div class="sign-in-key">
          <input
            ref={input}
            class="input"
            type="password"
            data-test="key"
            aria-label="Key"
            aria-invalid={words.value !== ""}
            aria-describedby={said}
            placeholder="showme_…"
            autoComplete="current-password"
            spellcheck={false}
            required
          />
          <Button kind="primary" type="submit" data-test="sign-in-send" disabled={busy.value}>
            Sign in
          </Button>
        </div>
        <p id={said} class="sign-in-words" role="alert" data-test="sign-in-words">
          {words.value}
        </p>
      </form>
    </main>
  );
}
