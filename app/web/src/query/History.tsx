/** The stored queries, newest first, each a link to its answer. */
import { useEffect, useState } from "preact/hooks";
import { listQueries } from "../api/client";
import { isAbort } from "../api/problem";
import type { QuerySummary } from "../api/types";
import { hashOf } from "../state/route";
import { serverState } from "../state/server";
import { Icon } from "../ui/icons";
import { Problem } from "../ui/Problem";
import { formatAgo } from "./timeFormat";

interface HistoryProps {
  most: number;
  onOpen?: () => void;
}

export function History({ most, onOpen }: HistoryProps) {
  const [found, setFound] = useState<QuerySummary[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const there = serverState.value !== "away";
  useEffect(() => {
    if (!there) return;
    const controller = new AbortController();
    listQueries(most, null, { signal: controller.signal }).then(
      (page) => {
        setFound(page.items);
        setError(null);
      },
      (reason: unknown) => !isAbort(reason) && setError(reason),
    );
    return () => controller.abort();
  }, [most, there]);
  if (error && !found) return <Problem error={error} />;
  if (!found) return <ul class="history" aria-busy="true" />;
  if (!found.length) return <p class="quiet history-none">Your queries will appear here.</p>;
  return (
    <ul class="history" data-test="history">
      {found.map((query) => (
        <li key={query.id}>
          <a href={hashOf("query", query.id)} data-test="history-row" onClick={onOpen}>
            <Icon name="history" />
            <span class="history-name">{query.name}</span>
            <span class="history-facts">
              {query.num_instruments === 1 ? "1 instrument" : `${query.num_instruments} instruments`} ·{" "}
              {query.library.name}
            </span>
            <time dateTime={query.created_at}>{formatAgo(query.created_at)}</time>
          </a>
        </li>
      ))}
    </ul>
  );
}
