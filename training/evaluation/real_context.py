"""The shared inputs of the protocol `real`: one side of a folder of real recordings, the two libraries, and encoded queries.

Queries and libraries go through the functions that the service runs (`index/retrieval.py`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.retrieval import QuerySlots, Retrieval, encode_samples
from index.sources.base import SourceInstrument, is_silent
from index.sources.note_bank import NoteBankSource
from index.sources.opening import open_source
from models.audio import split_windows
from models.encoder_pair import EncoderPair
from training.evaluation.embeddings import unit
from training.evaluation.enrolled_library import EnrolledLibrary, default_library, enroll_in_memory
from training.evaluation.metrics import Floats
from training.evaluation.real_queries import RealQueries, RealQuery
from training.evaluation.served import answer
from training.nlakh.dataset import VALID
from training.real.source import Part, RealSource

TEST = "test-real"
SPLITS = (VALID, TEST)
PART_OF_SPLIT: dict[str, Part] = {VALID: "validation", TEST: "test-real"}


@dataclass(frozen=True)
class EncodedQuery:
    """A query's slots, and the single encoder's embedding `alone [dim]` of unit norm, None for mixtures."""

    families: tuple[str, ...]
    unit: str
    slots: QuerySlots
    alone: Floats | None


@dataclass(frozen=True)
class RealContext:
    """A folder of real recordings and one side of it. Of the note banks `notes`, only recorded instruments are used."""

    pair: EncoderPair
    folder: Path
    split: str  # one of SPLITS
    notes: Sequence[Path] = ()
    cache: Path = Path("data/evaluation")
    num_mixtures: int = 1_000
    seed: int = 0

    @cached_property
    def source(self) -> RealSource:
        return RealSource(self.folder)

    @cached_property
    def queries(self) -> RealQueries:
        return RealQueries(self.source, PART_OF_SPLIT[self.split], self.pair.sample_rate, self.seed)

    @cached_property
    def sampled(self) -> tuple[SourceInstrument, ...]:
        """The sampled instruments of the folder that test; none on the validation side."""
        return tuple(self.source.originals("test-real", "notes")) if self.split == TEST else ()

    @cached_property
    def note_banks(self) -> tuple[NoteBankSource, ...]:
        """The note banks, whose recorded instruments all test; none on the validation side."""
        opened = [open_source(path) for path in self.notes] if self.split == TEST else []
        return tuple(source for source in opened if isinstance(source, NoteBankSource))

    @cached_property
    def recorded(self) -> tuple[SourceInstrument, ...]:
        """The recorded instruments of the note banks."""
        return tuple(one for bank in self.note_banks for one in bank if one.is_recorded)

    @cached_property
    def default_library(self) -> EnrolledLibrary:
        return default_library(self.pair, self.cache)

    @cached_property
    def real_library(self) -> EnrolledLibrary:
        """All sampled instruments, with the recorded ones; on the validation side only those that training heard."""
        members = [*self.source.originals("train", "notes"), *self.sampled, *self.recorded]
        files = [*self.source.files, *(path for bank in self.note_banks for path in bank.files)]
        return enroll_in_memory(self.pair, "real library", members, files, self.cache)

    @property
    def libraries(self) -> tuple[EnrolledLibrary, EnrolledLibrary]:
        return self.default_library, self.real_library

    def encode(self, queries: Iterable[RealQuery]) -> list[EncodedQuery]:
        """Encode queries with both encoders. Raises SilentAudio if one is silent."""
        return [
            EncodedQuery(
                one.families,
                one.unit,
                encode_samples(self.pair, one.wave)[0],
                self._alone(one.wave) if len(one.families) <= 1 else None,
            )
            for one in queries
        ]

    def answer(self, query: EncodedQuery, library: EnrolledLibrary) -> Retrieval:
        """The answer of the service, sound effects hidden."""
        space = library.space(self.pair.family)
        return answer(query.slots, space, self.pair.presence_threshold, library.hidden)

    def nearest(self, query: EncodedQuery, library: EnrolledLibrary) -> NDArray[np.int64]:
        """The places by the single encoder, the nearest first, for a query of one instrument; sound effects are hidden."""
        assert query.alone is not None
        order = np.argsort(-(library.embedding @ query.alone), kind="stable")
        return order[~library.hidden[order]]

    def _alone(self, wave: Floats) -> Floats:
        """The normalised mean embedding of the windows that sound, as if they were clips of one instrument: `[dim]`."""
        size = self.pair.clip_samples
        windows, _ = split_windows(wave, clip_samples=size, hop_samples=size)
        sounding = np.array([not is_silent(window) for window in windows])
        return unit(self.pair.embed(windows[sounding]).mean(axis=0))
