/** Folders of the server: a field to add one once or to follow it, and those that the library follows, each with its state. */
import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { endWatch, followFolder, listWatches } from "../api/client";
import { describeProblem } from "../api/problem";
import { sleep } from "../api/transport";
import type { Library, Watch } from "../api/types";
import { refreshLibraries } from "../state/libraries";
import { limits } from "../state/server";
import { offerUndo, showProblem } from "../state/toasts";
import { Button } from "../ui/Button";
import { Icon } from "../ui/icons";
import { enrollmentsEnded, enrollPath } from "./enrollments";
import { describeSkipped, describeWatch, hasFollowed } from "./watchWords";

const BUSY_SECONDS = 1.5; // between two looks at what is followed, while something changes
const QUIET_SECONDS = 10;

export function ServerFolders({ library }: { library: Library }) {
  const watches = useSignal<Watch[]>([]);
  const roots = limits.value.source_roots;
  const look = async (signal?: AbortSignal) => {
    const { items } = await listWatches(library.id, signal ? { signal } : {});
    if (hasFollowed(watches.value, items)) {
      enrollmentsEnded.value += 1;
      void refreshLibraries();
    }
    watches.value = items;
  };
  useEffect(() => {
    const controller = new AbortController();
    void lookAgain(look, () => watches.value, controller.signal);
    return () => controller.abort();
  }, [library.id]);
  if (!roots.length && !watches.value.length) return null;
  return (
    <section class="folders" aria-label="Folders of the server" data-test="folders">
      {roots.length > 0 && <FolderField library={library} roots={roots} onFollowed={look} />}
      {watches.value.map((watch) => (
        <Followed key={watch.id} watch={watch} onChanged={look} />
      ))}
    </section>
  );
}

async function lookAgain(
  look: (signal: AbortSignal) => Promise<void>,
  watches: () => readonly Watch[],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await look(signal).catch(() => undefined); // the server is away: the next look may succeed
    const changes = watches().some(({ job, synced_at }) => job || !synced_at);
    await sleep(changes ? BUSY_SECONDS : QUIET_SECONDS, signal).catch(() => undefined);
  }
}

interface FolderFieldProps {
  library: Library;
  roots: readonly string[];
  onFollowed: () => Promise<void>;
}

function FolderField({ library, roots, onFollowed }: FolderFieldProps) {
  const input = useRef<HTMLInputElement>(null);
  const fault = useSignal<string | null>(null);
  const busy = useSignal(false);
  const [name, why] = [useId(), useId()];
  const send = async (work: (path: string) => Promise<unknown>) => {
    const path = input.current?.value.trim() ?? "";
    if (!path || busy.value) return input.current?.focus();
    busy.value = true;
    fault.value = null;
    try {
      await work(path);
      if (input.current) input.current.value = "";
    } catch (error) {
      const { title, advice } = describeProblem(error);
      fault.value = `${title} ${advice}`.trim();
      input.current?.focus();
    }
    busy.value = false;
  };
  const follow = async (path: string) => {
    await followFolder(library.id, path);
    await onFollowed();
  };
  return (
    <form
      class="folder-field"
      onSubmit={(event) => {
        event.preventDefault();
        void send(follow);
      }}
    >
      <label for={name}>Follow a folder of the server</label>
      <input
        ref={input}
        id={name}
        class="input"
        data-test="folder-path"
        placeholder={`${roots[0]}/…`}
        title={`Below ${roots.join(", ")}`}
        maxLength={4096}
        autoComplete="off"
        spellcheck={false}
        aria-invalid={fault.value !== null}
        aria-describedby={fault.value ? why : undefined}
        onInput={() => {
          fault.value = null;
        }}
      />
      <Button
        data-test="folder-add"
        disabled={busy.value}
        onClick={() => void send((path) => enrollPath(library, path))}
      >
        Add once
      </Button>
      <Button type="submit" data-test="folder-follow" disabled={busy.value}>
        Follow
      </Button>
      {fault.value && (
        <p id={why} class="folder-fault" role="alert" data-test="folder-fault">
          {fault.value}
        </p>
      )}
    </form>
  );
}

function Followed({ watch, onChanged }: { watch: Watch; onChanged: () => Promise<void> }) {
  const skipped = describeSkipped(watch);
  const stop = async () => {
    try {
      await endWatch(watch.library_id, watch.path);
      await onChanged();
    } catch (error) {
      return showProblem(error);
    }
    offerUndo(`${watch.path} is not followed any more; its instruments stay`, async () => {
      await followFolder(watch.library_id, watch.path);
      await onChanged();
    });
  };
  return (
    <div class="followed" data-test="watch" data-state={watch.state}>
      <Icon name="folder" />
      <div class="followed-what" role="status">
        <strong>{watch.path}</strong>
        <span class="quiet">{describeWatch(watch)}</span>
        {skipped && <span class="followed-skipped">{skipped}</span>}
      </div>
      <Button data-test="watch-stop" onClick={() => void stop()}>
        Stop following
      </Button>
    </div>
  );
}
