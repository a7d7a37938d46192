/** The track that is shown, and what can be done with it: another one, record, earlier queries, link, export. */
import { signal } from "@preact/signals";
import { useRef, useState } from "preact/hooks";
import { navigate } from "../state/route";
import { limits } from "../state/server";
import { say } from "../state/toasts";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { ExportMenu } from "./ExportMenu";
import { History } from "./History";
import { offer } from "./intake";
import { shown } from "./state";

/** Whether the recorder is open; the first screen opens it too. */
export const recorderOpen = signal(false);

export function SourceBar() {
  const [history, setHistory] = useState(false);
  const { source, answer } = shown.value;
  return (
    <div class="source">
      <h2 class="source-name" data-test="source-name" title={source?.name}>
        {source?.name}
      </h2>
      <div class="source-tools">
        <PickButton />
        <Button
          icon="mic"
          label="Record from the microphone"
          data-test="record"
          onClick={() => {
            recorderOpen.value = true;
          }}
        />
        <Button
          icon="history"
          label="Earlier queries"
          data-test="history-open"
          onClick={() => setHistory(true)}
        />
        <Button
          icon="link"
          label="Copy the link to this answer"
          data-test="copy-link"
          disabled={!answer}
          onClick={() => void copyLink()}
        />
        <ExportMenu />
      </div>
      {history && (
        <Dialog title="Earlier queries" onClose={() => setHistory(false)}>
          <History most={30} onOpen={() => setHistory(false)} />
        </Dialog>
      )}
    </div>
  );
}

/** A button over a file field, which alone may open the browser's file dialog. */
export function PickButton({ primary = false }: { primary?: boolean }) {
  const field = useRef<HTMLInputElement>(null);
  const accept = [
    "audio/*",
    ...limits.value.audio_formats.map((format) => `.${format.replace(/^\./, "")}`),
  ].join(",");
  return (
    <>
      <input
        ref={field}
        type="file"
        class="unseen"
        tabIndex={-1}
        aria-label="Choose a track"
        data-test="file"
        accept={accept}
        onChange={(event) => {
          offer([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = ""; // the same file may be chosen again
        }}
      />
      <Button
        kind={primary ? "primary" : "plain"}
        icon="upload"
        data-test="pick"
        onClick={() => field.current?.click()}
      >
        {primary ? "Choose a file" : "Open"}
      </Button>
    </>
  );
}

async function copyLink(): Promise<void> {
  const { answer } = shown.value;
  if (!answer) return;
  navigate("query", answer.id, true);
  try {
    await navigator.clipboard.writeText(location.href);
    say("Link copied.", "good");
  } catch {
    say(`Copy the address of this page: ${location.href}`);
  }
}
