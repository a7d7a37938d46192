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
from training.mixing import active_rms
from training.nlakh.dataset import UNKNOWN, Fault
from training.nlakh.instrument_selection import InstrumentCollection, instrument_faults, is_audible
from training.nlakh.rendered import RenderedItem, Stem
from training.nlakh.single import MAX_DRAWS, musical_range
from training.nlakh.spec import BLOCK_MIXTURES, MIN_STEMS, PlannedUnit, RenderPlan
from training.sections import SectionBook, SectionTrack

PEAK_DB = -1.0  # of the mixture, or of its loudest stem
POOL_SIZE = 66  # instruments open at once: enough to choose from, few enough to decode and keep in memory
# Their tracks are also played by the instruments of unknown family, most of which are patches of synthesizers.
OPEN_FAMILIES = ("synth_pad", "effect")
MAX_SECTIONS = 2_000  # drawn for a mixture until two of the instruments can play one

Assignment = tuple[int, PlayableInstrument, SectionTrack]  # instrument number, instrument, its notes


class MultiRenderer:
    """Renders units of Nlakh-multi. `books` holds each split's sections.

    `faults` are those of the last unit's instruments, as far as they were played.
    """

    def __init__(
        self, plan: RenderPlan, collection: InstrumentCollection, books: dict[str, SectionBook]
    ) -> None:
        self._plan, self._collection, self._books = plan, collection, books
        self.faults: set[Fault] = set()

    def render(self, unit: PlannedUnit) -> Iterator[RenderedItem]:
        """The mixtures of a unit, in order, played by one pool of instruments."""
        pool = InstrumentPool(self._plan, self._collection, unit.split, unit.first // BLOCK_MIXTURES)
        for number in range(unit.first + 1, unit.first + unit.count + 1):
            yield RenderedItem(number, self._stems(unit.split, number, pool))
        self.faults = {fault for instrument in pool.opened() for fault in instrument_faults(instrument)}

    def _stems(self, split: str, number: int, pool: "InstrumentPool") -> tuple[Stem, ...]:
        """The stems of a mixture; sections with fewer than two audible ones are drawn again."""
        generator = np.random.default_rng([self._plan.spec.seed, zlib.crc32(split.encode()), number])
        for _ in range(MAX_DRAWS):
            assigned = self._assign(generator, split, pool)
            played = [(key, self._play(instrument, track)) for key, instrument, track in assigned]
            audible = sorted((key, samples) for key, samples in played if is_audible(samples))
            if len(audible) >= MIN_STEMS:
                levelled = self._level(generator, np.stack([samples for _, samples in audible]))
                return tuple(Stem(key, samples) for (key, _), samples in zip(audible, levelled, strict=True))
        raise TrainingError(
            f"mixture {number} of {split} stayed silent in {MAX_DRAWS} sections", value=number
        )

    def _assign(self, generator: np.random.Generator, split: str, pool: "InstrumentPool") -> list[Assignment]:
        """Instruments for a random section that two of them can play. Raises TrainingError when none is found."""
        for _ in range(MAX_SECTIONS):
            assigned = pool.assign(generator, self._books[split].section(generator))
            if len(assigned) >= MIN_STEMS:
                return assigned
        families = ", ".join(pool.families)
        message = (
            f"no section of {MAX_SECTIONS} of the MIDI files of {split} has tracks for two of its instruments "
            f"(families: {families}): give more of either"
        )
        raise TrainingError(message, value=families, limit=MIN_STEMS)

    def _play(self, instrument: PlayableInstrument, track: SectionTrack) -> NDArray[np.float32]:
        notes = track.notes if track.is_drum else fit_range(track.notes, *musical_range(instrument))
        return instrument.play(notes, self._plan.spec.clip_seconds, self._plan.spec.sample_rate)

    def _level(self, generator: np.random.Generator, stems: NDArray[np.float32]) -> NDArray[np.int16]:
        """Bring `stems [stems, samples]` to one level, then random gains, then the whole to full scale, rounded."""
        spread = self._plan.spec.level_range_db
        gain = 10 ** (generator.uniform(-spread, spread, size=(len(stems), 1)) / 20)
        level = active_rms(
            torch.from_numpy(stems).double()
        ).numpy()  # exact enough to be the same on every machine
        stems = stems * (gain / np.maximum(level, 1e-6)).astype(np.float32)
        mixture = stems.sum(axis=0)
        loudest = max(stems.max(), -stems.min(), mixture.max(), -mixture.min())
        stems *= np.float32(32767 * 10 ** (PEAK_DB / 20) / loudest)
        return np.rint(stems, out=stems).astype(np.int16)


class InstrumentPool:
    """The instruments that play one block of mixtures: some of each family, each opened once.

    The choice depends on (seed, split, block), so that all instruments take part in turn.
    """

    def __init__(self, plan: RenderPlan, collection: InstrumentCollection, split: str, block: int) -> None:
        self._collection, self._max_instruments = collection, plan.spec.max_instruments
        generator = np.random.default_rng([plan.spec.seed, zlib.crc32(split.encode()), block, POOL_SIZE])
        of_family: dict[str, list[tuple[int, str]]] = {}
        for row in plan.of_split(split):
            of_family.setdefault(row.family or UNKNOWN, []).append((row.number, row.id))
        share = -(-POOL_SIZE // len(of_family))
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

    def assign(self, generator: np.random.Generator, tracks: tuple[SectionTrack, ...]) -> list[Assignment]:
        """Give each track a different instrument of its `_players`, up to the plan's number of instruments.

        Tracks for which no instrument is free are left out.
        """
        taken: set[int] = set()
        assigned: list[Assignment] = []
        for place in generator.permutation(len(tracks)):
            track = tracks[place]
            free = [row for row in self._players(track.family) if row[0] not in taken]
            if not free or len(assigned) == self._max_instruments:
                continue
            number, key = free[int(generator.integers(len(free)))]
            taken.add(number)
            assigned.append((number, self._open(key), track))
        return assigned

    def _players(self, family: str) -> list[tuple[int, str]]:
        """The instruments (number, id) that may play a track of the family."""
        others = self._of_family.get(UNKNOWN, []) if family in OPEN_FAMILIES else []
        return [*self._of_family.get(family, []), *others]

    def _open(self, key: str) -> PlayableInstrument:
        if key not in self._opened:
            self._opened[key] = self._collection.playable(key)
        return self._opened[key]
