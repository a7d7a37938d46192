"""Command that renders single-instrument clips: instruments of note banks and sound fonts play phrases.

Section 4 of Kim et al. 2022 (Nlakh-single): phrases from MIDI tracks of the instrument's family, here beside
composed phrases and single notes; a clip depends on (seed, instrument, clip number) only, not on the workers.

    python -m training.render --notes DIR --midi DIR --split train --clips 24 --seed 1 --out DIR
"""

import argparse
import json
import os
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from index.sources.default import default_soundfont
from models.errors import TrainingError
from training.bank import BANK_FILE, BankHeader, write_atomically, write_header, write_shard
from training.commands import guarded
from training.compose import compose, single_notes
from training.instruments import Playable, PresetBank
from training.note_bank import NoteBank
from training.phrases import Phrase, PhraseBook, fit_range
from training.render_plan import Plan, Sources, make_plan
from training.splits import MANIFEST, read_manifest

PLAN_FILE = "plan.json"
MIDI_SHARE, COMPOSED_SHARE = 0.70, 0.15  # the rest are single notes
OCTAVE_PROBABILITY = 0.3  # of moving a phrase an octave up or down before it is fitted
PEAK_DB = -3.0
LEVEL_RANGE_DB = 6.0  # a clip's peak lies up to this far below PEAK_DB
SILENT_PEAK, SILENT_RMS = 1e-3, 1e-4
MAX_DRAWS = 50
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # a worker is one thread


class Renderer:
    """Opens the sources of a plan and renders its shards."""

    def __init__(self, plan: Plan, sources: Sources) -> None:
        self.plan = plan
        self._bank = NoteBank(sources.notes) if sources.notes else None
        self._presets = [PresetBank(path, plan.sample_rate) for path in sources.soundfonts]
        book = PhraseBook.from_midi(sources.midi, cache=sources.cache) if sources.midi else None
        self._book = book.part(held=plan.held_midi) if book else None

    def load(self, key: str) -> Playable:
        """The instrument of an id, from the first source that holds it."""
        if self._bank is not None and key in self._bank.entries:
            return self._bank.load(key)
        for presets in self._presets:
            if key in presets.ids:
                return presets.load(key)
        raise TrainingError(f"no source holds the instrument {key}", value=key)

    def _phrase(self, generator: np.random.Generator, instrument: Playable) -> Phrase:
        kind = generator.random()
        if kind < MIDI_SHARE and self._book is not None:
            phrase = self._book.excerpt(generator, instrument.family)
        elif kind < MIDI_SHARE + COMPOSED_SHARE:
            phrase = compose(generator)
        else:
            return single_notes(generator, instrument.low, instrument.high)
        if generator.random() < OCTAVE_PROBABILITY:
            octave = int(generator.choice([-12, 12]))
            phrase = tuple(replace(note, pitch=note.pitch + octave) for note in phrase)
        return fit_range(phrase, instrument.low, instrument.high)

    def clip(self, instrument: Playable, number: int) -> np.ndarray:
        """Clip `number` of an instrument, int16 [clip_samples]; silent phrases are drawn again."""
        generator = np.random.default_rng([self.plan.seed, zlib.crc32(instrument.id.encode()), number])
        seconds = self.plan.clip_samples / self.plan.sample_rate
        for _ in range(MAX_DRAWS):
            samples = instrument.play(self._phrase(generator, instrument), seconds, self.plan.sample_rate)
            peak = float(np.abs(samples).max())
            if (
                np.isfinite(peak)
                and peak >= SILENT_PEAK
                and float(np.sqrt(np.mean(samples**2))) >= SILENT_RMS
            ):
                level = 10 ** ((PEAK_DB - generator.uniform(0, LEVEL_RANGE_DB)) / 20)
                return np.round(samples * (32767 * level / peak)).astype(np.int16)
        raise TrainingError(f"{instrument.id} stayed silent in {MAX_DRAWS} phrases", value=instrument.id)

    def shard(self, number: int) -> np.ndarray:
        """Clips of a shard's instruments, int16 [instruments · clips, clip_samples]."""
        clips = []
        for row in self.plan.shard(number):
            instrument = self.load(row.id)
            clips += [self.clip(instrument, clip) for clip in range(self.plan.clips)]
        return np.stack(clips)


_renderer: Renderer | None = None  # of a worker process


def _start_worker(plan: Plan, sources: Sources) -> None:
    global _renderer
    _renderer = Renderer(plan, sources)


def _render_shard(number: int, path: Path) -> int:
    assert _renderer is not None
    clips = _renderer.shard(number)
    write_shard(path, clips)
    return len(clips)


def _missing_shards(plan: Plan, folder: Path) -> list[int]:
    """Shards still to be rendered; refuses a folder begun under another plan."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PLAN_FILE
    if path.exists():
        if json.loads(path.read_text()) != plan.digest:
            raise TrainingError(
                f"{folder} was begun with other settings: remove it or choose another", value=plan.digest
            )
    elif any(folder.glob("shard_*.npy")) or (folder / BANK_FILE).exists():
        raise TrainingError(f"{folder} holds shards of an unknown plan: remove it or choose another")
    else:
        write_atomically(path, json.dumps(plan.digest).encode())
    for leftover in folder.glob("*.tmp"):
        leftover.unlink()
    return [number for number in range(plan.num_shards) if not (folder / shard_name(number)).exists()]


def shard_name(number: int) -> str:
    return f"shard_{number:05d}.npy"


def _finished(plan: Plan, sources: Sources, folder: Path, missing: list[int], workers: int) -> Iterator[int]:
    """Renders the missing shards, yielding the number of clips of each as it is done."""
    if workers <= 1:
        renderer = Renderer(plan, sources)
        for number in missing:
            clips = renderer.shard(number)
            write_shard(folder / shard_name(number), clips)
            yield len(clips)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (plan, sources))
    with pool:
        pending: set[Future[int]] = {pool.submit(_render_shard, n, folder / shard_name(n)) for n in missing}
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BrokenProcessPool as error:
            raise TrainingError("a worker process died (memory?); the same command carries on") from error
        finally:
            pool.shutdown(cancel_futures=True)


def render(plan: Plan, sources: Sources, folder: Path, *, workers: int = 1, progress: bool = False) -> float:
    """Render a plan into a bank, keeping the whole shards an interrupted run left; returns clips per second.

    Raises TrainingError when the folder belongs to another plan or an instrument cannot be rendered.
    """
    missing = _missing_shards(plan, folder)
    total = sum(len(plan.shard(number)) for number in missing) * plan.clips
    columns = (
        "{task.description}",
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:.0f} clips/s"),
    )
    begun, done = time.monotonic(), 0
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), disable=not progress) as bar:
        task = bar.add_task(plan.split, total=total, speed=0.0)
        for clips in _finished(plan, sources, folder, missing, workers):
            done += clips
            bar.update(task, advance=clips, speed=done / (time.monotonic() - begun))
    speed = done / max(time.monotonic() - begun, 1e-9)
    names = tuple(shard_name(number) for number in range(plan.num_shards))
    write_header(
        folder,
        BankHeader(plan.sample_rate, plan.clip_samples, plan.clips, plan.seed, plan.instruments, names),
    )
    return speed


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Render single-instrument clips into a clip bank.")
    parser.add_argument("--notes", type=Path, help="folder of note banks (index.jsonl)")
    parser.add_argument(
        "--soundfont", action="append", default=[], help="a .sf2/.sf3 file, or 'default' (TimGM6mb)"
    )
    parser.add_argument("--midi", type=Path, help="folder of MIDI files; without it phrases are composed")
    parser.add_argument(
        "--cache", type=Path, help="where parsed MIDI is kept (default: phrases.npz beside --out)"
    )
    parser.add_argument("--splits", type=Path, default=MANIFEST)
    parser.add_argument("--split", required=True)
    parser.add_argument("--clips", type=int, default=24, help="clips an instrument")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args(argv)


@guarded
def main(argv: list[str] | None = None) -> int:
    """Command line; all it says goes to stderr, since other commands render on their way."""
    options = _parse(argv)
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    fonts = tuple(default_soundfont() if name == "default" else Path(name) for name in options.soundfont)
    cache = options.cache or options.out.parent / "phrases.npz"
    sources = Sources(options.notes, fonts, options.midi, cache)
    manifest = read_manifest(options.splits)
    plan = make_plan(
        sources,
        manifest,
        split=options.split,
        clips=options.clips,
        seed=options.seed,
        workers=options.workers,
    )
    speed = render(plan, sources, options.out, workers=options.workers, progress=True)
    done = f"{len(plan.instruments)} instruments x {plan.clips} clips, {speed:.0f} clips/s"
    print(f"{options.out}: {done}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
