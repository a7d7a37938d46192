/** The stored queries by track, newest first: each a link to its newest answer, with its variants, a name and a way to delete it. */
import { useEffect, useState } from "preact/hooks";
import { listQueries, renameTrack } from "../api/client";
import { isAbort } from "../api/problem";
import type { QuerySummary } from "../api/types";
import { NameEdit } from "../library/NameEdit";
import { hashOf } from "../state/route";
import { serverState } from "../state/server";
import { mayWrite } from "../state/session";
import { Button } from "../ui/Button";
import { formatCount } from "../ui/format";
import { Icon } from "../ui/icons";
import { Problem } from "../ui/Problem";
import { isKept, removeQueries } from "./historyDeletion";
import { queryState, updateState } from "./state";
import { formatAgo } from "./timeFormat";
import { type Track, tracksOf, variantWords } from "./tracks";

const MOST_QUERIES = 300;
const SEARCH_PAUSE_MS = 150;

interface HistoryProps {
  most: number; // tracks
  onOpen?: () => void;
}

export function History({ most, onOpen }: HistoryProps) {
  const [found, setFound] = useState<readonly QuerySummary[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [search, setSearch] = useState("");
  const there = serverState.value !== "away";
  useEffect(() => {
    if (!there) return;
    const controller = new AbortController();
    const load = () =>
      listQueries(MOST_QUERIES, search.trim(), { signal: controller.signal }).then(
        (page) => {
          setFound(page.items);
          setError(null);
        },
        (reason: unknown) => !isAbort(reason) && setError(reason),
      );
    const timer = setTimeout(load, search ? SEARCH_PAUSE_MS : 0);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [search, there]);
  if (error && !found) return <Problem error={error} />;
  if (!found) return <ul class="history" aria-busy="true" />;
  const tracks = tracksOf(found.filter(isKept)).slice(0, most);
  if (!tracks.length && !search) return <p class="quiet history-none">Your queries will appear here.</p>;
  const rename = async (track: Track, name: string) => {
    await renameTrack(track.newest.id, name);
    setFound(found.map((query) => (query.track === track.id ? { ...query, name } : query)));
    const { source, answer } = queryState.value;
    if (source && track.queries.some(({ id }) => id === answer?.id))
      updateState({ source: { ...source, name } });
  };
  return (
    <>
      <label class="search history-search">
        <Icon name="search" />
        <input
          type="search"
          class="input"
          data-test="history-search"
          aria-label="Search earlier queries by name"
          placeholder="Search by name"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </label>
      {!tracks.length && <p class="quiet">No earlier query has such a name.</p>}
      <ul class="history" data-test="history">
        {tracks.map((track) => (
          <TrackEntry key={track.id} track={track} onRename={(name) => rename(track, name)} onOpen={onOpen} />
        ))}
      </ul>
    </>
  );
}

interface TrackEntryProps {
  track: Track;
  onRename: (name: string) => Promise<void>;
  onOpen: (() => void) | undefined;
}

function TrackEntry({ track, onRename, onOpen }: TrackEntryProps) {
  const [naming, setNaming] = useState(false);
  const { newest, queries } = track;
  return (
    <li class="history-track" data-test="history-track">
      {naming ? (
        <NameEdit
          value={newest.name}
          label={`New name for ${newest.name}`}
          onSave={onRename}
          onClose={() => setNaming(false)}
        />
      ) : (
        <a href={hashOf("query", newest.id)} data-test="history-row" onClick={onOpen}>
          <Icon name="history" />
          <span class="history-name" title={newest.name}>
            {newest.name}
          </span>
          <span class="history-facts">
            {formatCount(newest.num_instruments, "instrument")} · {newest.library.name}
          </span>
          <time dateTime={newest.created_at}>{formatAgo(newest.created_at)}</time>
        </a>
      )}
      {mayWrite.value && (
        <span class="history-tools">
          <Button
            kind="quiet"
            icon="edit"
            label={`Rename ${newest.name}`}
            data-test="history-rename"
            onClick={() => setNaming(true)}
          />
          <Button
            kind="quiet"
            icon="trash"
            label={`Delete ${newest.name} from the history`}
            data-test="history-delete"
            onClick={() =>
              removeQueries(
                newest.name,
                queries.map(({ id }) => id),
              )
            }
          />
        </span>
      )}
      {queries.length > 1 && (
        <details class="history-variants" data-test="history-variants">
          <summary>{formatCount(queries.length, "variant")}</summary>
          <ul>
            {queries.map((query) => (
              <li key={query.id}>
                <a href={hashOf("query", query.id)} data-test="history-variant" onClick={onOpen}>
                  {variantWords(query)}
                </a>
              </li>
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}
