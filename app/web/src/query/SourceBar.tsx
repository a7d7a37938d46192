/** The track's name and tools: open, record, earlier queries, link, export. */
import { signal } from "@preact/signals";
import { useRef, useState } from "preact/hooks";
import { navigate } from "../state/route";
import { limits } from "../state/server";
import { showToast } from "../state/toasts";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { ExportMenu } from "./ExportMenu";
import { History } from "./History";
import { queryState } from "./state";
import { submitFiles } from "./trackInput";

/** Whether the recorder is open; the first screen opens it too. */
export const recorderOpen = signal(false);

export function SourceBar() {
  const [history, setHistory] = useState(false);
  const { source, answer } = queryState.value;
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
          label="Copy a link to this answer"
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

/** A button for a hidden file input; only the input can open the browser's file dialog. */
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
          submitFiles([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = ""; // allows the same file to be chosen again
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
  const { answer } = queryState.value;
  if (!answer) return;
  navigate("query", answer.id, true);
  try {
    await navigator.clipboard.writeText(location.href);
    showToast("Link copied.", "good");
  } catch {
    showToast(`Copy the address of this page: ${location.href}`);
  }
}
