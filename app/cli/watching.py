"""`showme watch`: lets a library follow a folder of samples, and lists and ends what is followed."""

import signal
from pathlib import Path
from threading import Event

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from app.cli.context import opened_engine
from app.cli.terminal import err, out, print_table
from app.engine import Engine
from app.heartbeat import Heartbeat
from app.job_store import BEATS_PER_LEASE
from index.records import LibraryInfo
from index.watching.folder_look import FolderLook, FolderLooker
from index.watching.folder_scan import check_watchable
from index.watching.folder_sync import FolderChange, FolderSync
from index.watching.following import FolderFollower
from index.watching.watch_store import WatchView
from models.errors import LibraryNotFound, SourceError, WatchNotFound


def follow(folder: Path, library: str, *, once: bool) -> None:
    """Let a library, which is created if need be, follow a folder until Ctrl+C, or `once` until both are the same.

    Raises SourceError, JobConflict while another process follows it, and with `once` what prevents it.
    """
    path = folder.resolve()
    check_watchable(path)
    with opened_engine() as engine:
        chosen = _library(engine, library)
        watch = engine.watches.add(chosen.id, path)
        engine.watches.take(watch.id)
        stopped = signal.signal(signal.SIGTERM, signal.default_int_handler)
        beat = Heartbeat(
            lambda: engine.watches.renew([watch.id]), engine.watches.lease_seconds / BEATS_PER_LEASE
        )
        try:
            with beat:
                _follow(engine, watch, chosen, once)
        finally:
            signal.signal(signal.SIGTERM, stopped)
            engine.watches.release(watch.id)


def _follow(engine: Engine, watch: WatchView, library: LibraryInfo, once: bool) -> None:
    sync = FolderSync(engine.index, engine.pair, engine.opener, engine.watches, watch, _print_change)

    def apply(look: FolderLook) -> None:
        sync.apply(look)

    def tell(line: str) -> None:
        err.print(line, markup=False, soft_wrap=True)

    settle_seconds = engine.settings.settle_seconds
    looker = FolderLooker(engine.watches, watch, settle_seconds)
    follower = FolderFollower(engine.watches, watch, looker, apply, tell, settle_seconds)
    if not once:
        err.print(f"{library.name} follows {watch.path}; Ctrl+C ends it", markup=False, soft_wrap=True)
        follower.follow(Event())
        return
    stop = Event()
    again: float | None = 0.0
    while again is not None:
        stop.wait(again)
        again = follower.look_once()
        if fault := engine.watches.get(watch.id).fault:
            raise SourceError(fault, value=str(watch.path))
    number = engine.index.libraries.get(library.id).num_instruments
    out.print(f"{library.name} has {number} instruments", markup=False)


def show() -> None:
    """Print all folders that libraries follow."""
    with opened_engine() as engine:
        names = {library.id: library.name for library in engine.index.libraries.all()}
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for column in ("folder", "library", "followed by", "state"):
            table.add_column(column, overflow="fold")
        for watch in engine.watches.all():
            owner = "a service" if watch.in_service else "a command"
            state = Text(watch.fault, style="yellow") if watch.fault else Text(_since(watch))
            table.add_row(
                Text(str(watch.path), style="bold"),
                Text(names.get(watch.library_id, watch.library_id)),
                owner if watch.is_followed else "nobody now",
                state,
            )
        print_table(table)


def stop(folder: Path, library: str | None) -> None:
    """End all watches of a folder, or that of one library; the instruments stay. Raises WatchNotFound."""
    path = folder.resolve()
    with opened_engine() as engine:
        chosen = None if library is None else engine.index.libraries.get(library).id
        found = [watch for watch in engine.watches.all(chosen) if watch.path == path]
        if not found:
            raise WatchNotFound(f"no library follows {path}", value=str(path))
        for watch in found:
            engine.watches.remove(watch.id)
    out.print(f"{path} is not followed any more; the instruments stay", markup=False, soft_wrap=True)


def _library(engine: Engine, library: str) -> LibraryInfo:
    try:
        return engine.index.libraries.get(library)
    except LibraryNotFound:
        return engine.index.libraries.create(library)


def _print_change(change: FolderChange) -> None:
    """Print a change in one line; one deleted instrument can be restored by its id."""
    to_restore = (
        f"; to restore it: showme index restore {change.deleted[0]}" if len(change.deleted) == 1 else ""
    )
    console = err if change.kind == "skipped" else out
    console.print(change.sentence + to_restore, markup=False, soft_wrap=True)


def _since(watch: WatchView) -> str:
    return f"the same at {watch.synced_at:%Y-%m-%d %H:%M}" if watch.synced_at else "not yet looked at"
