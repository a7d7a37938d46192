/** Adds instruments: a drop area, two file pickers, and a review of the files before upload. */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Library } from "../api/types";
import { limits } from "../state/server";
import { showProblem } from "../state/toasts";
import { Button } from "../ui/Button";
import { formatBytes } from "../ui/format";
import { Icon } from "../ui/icons";
import { Progress } from "../ui/Progress";
import { type DroppedFiles, type Entry, pickedFiles, readEntries } from "./droppedFiles";
import { enroll } from "./enrollments";
import { addLibrary } from "./libraryActions";
import { Review } from "./Review";
import { useWindowDrop } from "./useWindowDrop";

interface AddPanelProps {
  library: Library | null;
  onAdded: (library: Pick<Library, "id">) => void;
}

export function AddPanel({ library, onAdded }: AddPanelProps) {
  const dropped = useSignal<DroppedFiles | null>(null);
  const walked = useSignal<number | null>(null); // number of files found so far
  const look = async (entries: Entry[]) => {
    if (!entries.length) return;
    walked.value = 0;
    try {
      dropped.value = await readEntries(entries, (files) => {
        if (files % 50 === 0) walked.value = files;
      });
    } catch (error) {
      showProblem(error);
    }
    walked.value = null;
  };
  const over = useWindowDrop(look);
  if (walked.value !== null)
    return (
      <div class="add add-busy">
        <Progress text={`Reading the folder… ${walked.value} files`} share={null} />
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
          const into = typeof target === "string" ? await addLibrary(target) : target;
          dropped.value = null;
          enroll(into, plan);
          onAdded(into);
        }}
      />
    );
  return (
    <DropPlace
      over={over}
      onFiles={async (files) => {
        dropped.value = await pickedFiles(files);
      }}
    />
  );
}

function DropPlace({ over, onFiles }: { over: boolean; onFiles: (files: Iterable<File>) => Promise<void> }) {
  const folder = useRef<HTMLInputElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const picked = (input: HTMLInputElement) => {
    if (input.files?.length) onFiles([...input.files]).catch(showProblem);
    input.value = "";
  };
  return (
    <div class="add" data-test="drop" data-over={over || undefined}>
      <Icon name="upload" size={20} />
      <p>
        <strong>{over ? "Release to add" : "Drop instruments here"}</strong>
        <span class="quiet">
          A folder of samples, a zip, an .sf2 or .sf3, or an .sfz with its samples; up to{" "}
          {formatBytes(limits.value.max_library_bytes)} per file.
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
        aria-label="Instrument files"
        onChange={(event) => picked(event.currentTarget)}
      />
    </div>
  );
}
