/** Records from the microphone with a live waveform and a clock; the wav is then queried like any file. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import type { Recording } from "./recording";
import { formatClock } from "./timeFormat";

interface RecorderProps {
  onClose: () => void;
  onRecorded: (file: File) => void;
}

export function Recorder({ onClose, onRecorded }: RecorderProps) {
  const box = useRef<HTMLDivElement>(null);
  const recording = useRef<Recording | null>(null);
  const [seconds, setSeconds] = useState(0);
  const [state, setState] = useState<"starting" | "recording" | "ending">("starting");
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    let gone = false;
    void import("./recording")
      .then(({ record }) => (gone || !box.current ? null : record(box.current, setSeconds)))
      .then(
        (started) => {
          if (gone) started?.cancel();
          else recording.current = started;
          setState("recording");
        },
        (error: unknown) => setProblem(wordsFor(error)),
      );
    return () => {
      gone = true;
      recording.current?.cancel();
    };
  }, []);
  const finish = async () => {
    setState("ending");
    try {
      const file = await recording.current?.finish();
      if (file) onRecorded(file);
    } catch (error) {
      setProblem(wordsFor(error));
    }
  };
  return (
    <Dialog
      title="Record"
      test="recorder"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            kind="primary"
            data-test="record-stop"
            disabled={state !== "recording" || problem !== null || seconds < 0.5}
            onClick={() => void finish()}
          >
            Stop and find instruments
          </Button>
        </>
      }
    >
      {problem ? (
        <p role="alert" class="recorder-problem">
          {problem}
        </p>
      ) : (
        <p class="quiet">Play the track near the microphone. Ten seconds are enough.</p>
      )}
      <div class="recorder-wave" ref={box} aria-hidden="true" />
      <output class="recorder-clock" aria-label="Recorded time">
        {formatClock(seconds)}
      </output>
    </Dialog>
  );
}

function wordsFor(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError")
    return "The browser blocks the microphone for this page. Allow it in the address bar, then try again.";
  if (name === "NotFoundError") return "No microphone was found. Connect one, then try again.";
  if (name === "NotSupportedError" || name === "TypeError" || error instanceof TypeError)
    return "Browsers allow the microphone only on localhost or HTTPS. Record elsewhere and drop the file here.";
  return "The recording failed. Try again, or drop a file.";
}
