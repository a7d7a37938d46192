"""Renders Nlakh-multi: sections of multi-track MIDI, each track played by a random instrument of its family.

Section 4 of Kim et al. 2022, figure 3b. A mixture is kept as its stems: they are rounded first and summed as whole numbers, so
that they sum to the mixture exactly. A mixture depends on (seed, split, mixture number) alone.
"""

import zlib
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from index.sources.base import PlayableInstrument
from index.sources.playing import fit_range
from models.errors import TrainingError
from training.midi import OTHER
from training.mixing import active_rms
from training.nlakh.casting import Fault, Library, is_heard, parts_left_out
from training.nlakh.plan import BLOCK_MIXTURES, MIN_PARTS, Job, Plan
from training.nlakh.single import MAX_DRAWS, musical_range
from training.nlakh.takes import Part, Take
from training.sections import Part as MidiPart
from training.sections import SectionBook

PEAK_DB = -1.0  # of the mixture, or of its loudest stem
CAST_SIZE = 66  # instruments open at once: enough to choose from, few enough to decode and keep in memory
MAX_SECTIONS = 2_000  # drawn for a mixture until two of the instruments can play one

Player = tuple[int, PlayableInstrument, MidiPart]  # an instrument's number, itself, what it plays


class MultiRenderer:
    """Renders units of Nlakh-multi. `books` holds each split's sections."""

    def __init__(self, plan: Plan, library: Library, books: dict[str, SectionBook]) -> None:
        self._plan, self._library, self._books = plan, library, books
        self._seconds = plan.request.clip_samples / plan.request.sample_rate
        self.faults: set[Fault] = set()  # of the instruments of the last unit, as far as they were played

    def takes(self, job: Job) -> Iterator[Take]:
        """The mixtures of a unit, in order, played by one cast of instruments."""
        cast = Cast(self._plan, self._library, job.split, job.first // BLOCK_MIXTURES)
        for number in range(job.first + 1, job.first + job.count + 1):
            yield Take(number, self._parts(job.split, number, cast))
        self.faults = {fault for instrument in cast.opened() for fault in parts_left_out(instrument)}

    def _parts(self, split: str, number: int, cast: "Cast") -> tuple[Part, ...]:
        """The stems of a mixture; sections that leave fewer than two are drawn again."""
        generator = np.random.default_rng([self._plan.request.seed, zlib.crc32(split.encode()), number])
        for _ in range(MAX_DRAWS):
            players = self._players(generator, split, cast)
            stems = [(key, self._play(instrument, part)) for key, instrument, part in players]
            heard = sorted((key, stem) for key, stem in stems if is_heard(stem))
            if len(heard) >= MIN_PARTS:
                levelled = self._level(generator, np.stack([stem for _, stem in heard]))
                return tuple(Part(key, stem) for (key, _), stem in zip(heard, levelled, strict=True))
        raise TrainingError(
            f"mixture {number} of {split} stayed silent in {MAX_DRAWS} sections", value=number
        )

    def _players(self, generator: np.random.Generator, split: str, cast: "Cast") -> list[Player]:
        """Who plays what in a random section that two of the instruments can play. Raises TrainingError if none is found."""
        for _ in range(MAX_SECTIONS):
            players = cast.assign(generator, self._books[split].section(generator))
            if len(players) >= MIN_PARTS:
                return players
        families = ", ".join(cast.families)
        message = (
            f"no section of {MAX_SECTIONS} of the MIDI files of {split} has tracks for two of its instruments "
            f"(families: {families}): give more of either"
        )
        raise TrainingError(message, value=families, limit=MIN_PARTS)

    def _play(self, instrument: PlayableInstrument, part: MidiPart) -> NDArray[np.float32]:
        notes = part.notes if part.is_drum else fit_range(part.notes, *musical_range(instrument))
        return instrument.play(notes, self._seconds, self._plan.request.sample_rate)

    def _level(self, generator: np.random.Generator, stems: NDArray[np.float32]) -> NDArray[np.int16]:
        """Bring `stems [parts, samples]` to one level, then random gains, then the whole to full scale, rounded."""
        spread = self._plan.request.level_range_db
        gain = 10 ** (generator.uniform(-spread, spread, size=(len(stems), 1)) / 20)
        level = active_rms(torch.from_numpy(stems)).numpy()
        stems = stems * (gain / np.maximum(level, 1e-6)).astype(np.float32)
        mixture = stems.sum(axis=0)
        loudest = max(stems.max(), -stems.min(), mixture.max(), -mixture.min())
        stems *= np.float32(32767 * 10 ** (PEAK_DB / 20) / loudest)
        return np.rint(stems, out=stems).astype(np.int16)


class Cast:
    """The instruments that one block of mixtures is played by: some of each family, opened once.

    Which they are depends on (seed, split, block), so that all instruments get their turn.
    """

    def __init__(self, plan: Plan, library: Library, split: str, block: int) -> None:
        self._library, self._most = library, plan.request.max_instruments
        generator = np.random.default_rng([plan.request.seed, zlib.crc32(split.encode()), block, CAST_SIZE])
        of_family: dict[str, list[tuple[int, str]]] = {}
        for row in plan.of_split(split):
            of_family.setdefault(row.family or OTHER, []).append((row.number, row.id))
        share = -(-CAST_SIZE // len(of_family))
        self._of_family = {}
        for family, rows in sorted(of_family.items()):
            chosen = generator.permutation(len(rows))[:share]
            self._of_family[family] = [rows[place] for place in sorted(chosen)]
        self._opened: dict[str, PlayableInstrument] = {}

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(self._of_family)

    def opened(self) -> Iterable[PlayableInstrument]:
        """The instruments that have played."""
        return self._opened.values()

    def assign(self, generator: np.random.Generator, parts: tuple[MidiPart, ...]) -> list[Player]:
        """A different instrument of its family for each part, at most the plan's number; parts without one are left out."""
        taken: set[int] = set()
        players: list[Player] = []
        for place in generator.permutation(len(parts)):
            part = parts[place]
            free = [row for row in self._of_family.get(part.family, ()) if row[0] not in taken]
            if not free or len(players) == self._most:
                continue
            number, key = free[int(generator.integers(len(free)))]
            taken.add(number)
            players.append((number, self._open(key), part))
        return players

    def _open(self, key: str) -> PlayableInstrument:
        if key not in self._opened:
            self._opened[key] = self._library.playable(key)
        return self._opened[key]
