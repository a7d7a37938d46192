/** Where instruments come in: a drop place, two pickers, and what was found in the drop before it is sent. */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Library } from "../api/types";
import { limits } from "../state/server";
import { sayProblem } from "../state/toasts";
import { Button } from "../ui/Button";
import { Icon } from "../ui/icons";
import { Progress } from "../ui/Progress";
import { useWindowDrop } from "./dropping";
import { enrol } from "./enrolments";
import { type Dropped, type Entry, pickedFiles, walk } from "./folder";
import { createNamed } from "./libraryChanges";
import { Review } from "./Review";
import { megabytes } from "./words";

interface AddPanelProps {
  library: Library | null;
  onAdded: (library: Pick<Library, "id">) => void;
}

export function AddPanel({ library, onAdded }: AddPanelProps) {
  const dropped = useSignal<Dropped | null>(null);
  const walked = useSignal<number | null>(null); // files found so far in a drop
  const look = async (entries: Entry[]) => {
    if (!entries.length) return;
    walked.value = 0;
    try {
      dropped.value = await walk(entries, (files) => {
        if (files % 50 === 0) walked.value = files;
      });
    } catch (error) {
      sayProblem(error);
    }
    walked.value = null;
  };
  const over = useWindowDrop(look);
  if (walked.value !== null)
    return (
      <div class="add add-busy">
        <Progress text={`Looking through the folder… ${walked.value} files`} share={null} />
      </div>
    );
  if (dropped.value)
    return (
      <Review
        dropped={dropped.value}
        library={library}
        onCancel={() => {
          dropped.value = null;
        }}
        onAdd={async (target, plan) => {
          const into = typeof target === "string" ? await createNamed(target) : target;
          dropped.value = null;
          enrol(into, plan);
          onAdded(into);
        }}
      />
    );
  return (
    <DropPlace
      over={over}
      onFiles={(files) => {
        dropped.value = pickedFiles(files);
      }}
    />
  );
}

function DropPlace({ over, onFiles }: { over: boolean; onFiles: (files: Iterable<File>) => void }) {
  const folder = useRef<HTMLInputElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const picked = (input: HTMLInputElement) => {
    if (input.files?.length) onFiles([...input.files]);
    input.value = "";
  };
  return (
    <div class="add" data-test="drop" data-over={over || undefined}>
      <Icon name="upload" size={20} />
      <p>
        <strong>{over ? "Let go to add" : "Drop instruments here"}</strong>
        <span class="quiet">
          A folder of samples, a zip, .sf2, .sf3 or .sfz with its samples; up to{" "}
          {megabytes(limits.value.max_upload_bytes)} in one file.
        </span>
      </p>
      <div class="add-tools">
        <Button icon="folder" onClick={() => folder.current?.click()}>
          Choose a folder
        </Button>
        <Button icon="plus" onClick={() => files.current?.click()}>
          Choose files
        </Button>
      </div>
      <input
        ref={folder}
        type="file"
        hidden
        data-test="folder-input"
        aria-label="Folder of samples"
        {...{ webkitdirectory: true }}
        onChange={(event) => picked(event.currentTarget)}
      />
      <input
        ref={files}
        type="file"
        hidden
        multiple
        data-test="files-input"
        aria-label="Files with instruments"
        onChange={(event) => picked(event.currentTarget)}
      />
    </div>
  );
}
