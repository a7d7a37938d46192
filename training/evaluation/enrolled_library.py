"""A library of a source's instruments, enrolled in memory as the service enrols them, and kept in a cache.

Section 5.1 of Kim et al. 2022: an instrument is the normalised mean of its clips' embeddings (`index/enroll.py` stores it).
"""

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.retrieval import hidden_effects
from index.search_space import SearchSpace
from index.sources.base import SourceInstrument, enrollment_phrases
from index.sources.beats import enrollment_beats
from index.sources.default import default_presets
from models.atomic import atomic_file
from models.encoder_pair import EncoderPair
from models.errors import AudioError, SourceError, TrainingError
from models.family import FamilyModel
from training.evaluation.embeddings import unit
from training.evaluation.metrics import Floats


@dataclass(frozen=True)
class EnrolledLibrary:
    """`embedding [n, dim]` of unit norm, with id, name, family and number of enrolled clips of each of the n instruments."""

    name: str
    ids: tuple[str, ...]
    names: tuple[str, ...]
    families: tuple[str | None, ...]
    num_clips: NDArray[np.int64]
    embedding: Floats

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def place_of(self) -> dict[str, int]:
        """The place of each instrument by its id."""
        return {key: place for place, key in enumerate(self.ids)}

    def space(self, model: FamilyModel | None) -> SearchSpace:
        """The library as the service searches it with a family `model`."""
        return SearchSpace.of(self.embedding, self.families, model)

    @cached_property
    def hidden(self) -> NDArray[np.bool_]:
        """The mask `[n]` of the sound effects, which are no hits unless a query asks for them."""
        return hidden_effects(self.families)

    @property
    def shown_families(self) -> tuple[str | None, ...]:
        """The families of the instruments that may be hits."""
        return tuple(one for one, hide in zip(self.families, self.hidden, strict=True) if not hide)

    def describe(self) -> str:
        """The number of instruments, in all and by family, the largest first, and how many of them are hidden."""
        counts = Counter(family or "of no family" for family in self.families)
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        told = ", ".join(f"{n} {name}" for name, n in ordered)
        hidden = f"; {self.hidden.sum()} sound effects are hidden" if self.hidden.any() else ""
        return f"{self.name}: {len(self)} instruments, {told}{hidden}"


class _Enrolled(NamedTuple):
    embedding: Floats  # [dim], of unit norm
    num_clips: int


def enroll_in_memory(
    pair: EncoderPair,
    name: str,
    instruments: Sequence[SourceInstrument],
    files: Iterable[Path],
    cache: Path,
) -> EnrolledLibrary:
    """Enrol `instruments`, of which `files` hold the audio; unusable ones are left out, as in the service.

    Embeddings are kept in `cache` for the same encoder, instruments and files (names, sizes, times of change). Raises
    TrainingError if no instrument is usable.
    """
    seconds = pair.clip_samples / pair.sample_rate
    played = repr((enrollment_phrases(seconds), enrollment_beats(seconds)))
    facts = [pair.encoder_hash, [one.id for one in instruments], _stamps(files), played]
    path = cache / f"library-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]}.npz"
    enrolled = _kept(path, pair.embedding_dim)
    if enrolled is None:
        enrolled = _embedded(pair, instruments)
        if not enrolled:
            raise TrainingError(f"no instrument of {name} can be enrolled", value=name)
        embedding, num_clips = map(np.array, zip(*enrolled.values(), strict=True))
        with atomic_file(path) as file:
            np.savez(file, ids=np.array(list(enrolled)), embedding=embedding, num_clips=num_clips)
    found = [one for one in instruments if one.id in enrolled]
    return EnrolledLibrary(
        name,
        tuple(one.id for one in found),
        tuple(one.name for one in found),
        tuple(one.family for one in found),
        np.array([enrolled[one.id].num_clips for one in found], np.int64),
        np.stack([enrolled[one.id].embedding for one in found]),
    )


def default_library(pair: EncoderPair, cache: Path) -> EnrolledLibrary:
    """Enrol the presets of the default library, kept in `cache`. Raises SourceError if the SoundFont is missing."""
    presets = default_presets()
    return enroll_in_memory(pair, presets.name, list(presets), presets.files, cache)


def _stamps(files: Iterable[Path]) -> list[tuple[str, int, int]]:
    found = [(path.name, path.stat()) for path in files if path.is_file()]
    return [(name, status.st_size, status.st_mtime_ns) for name, status in found]


def _kept(path: Path, dim: int) -> dict[str, _Enrolled] | None:
    """Load the enrolled instruments by id; None where the file is missing or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            ids, embedding, num_clips = kept["ids"].tolist(), kept["embedding"], kept["num_clips"].tolist()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if embedding.shape != (len(ids), dim) or embedding.dtype != np.float32 or len(num_clips) != len(ids):
        return None
    return dict(zip(ids, map(_Enrolled, embedding, num_clips), strict=True))


def _embedded(pair: EncoderPair, instruments: Sequence[SourceInstrument]) -> dict[str, _Enrolled]:
    enrolled: dict[str, _Enrolled] = {}
    for one in instruments:
        try:
            clips = pair.embed(one.clips(pair.sample_rate, pair.clip_samples))
        except (SourceError, AudioError):
            continue
        enrolled[one.id] = _Enrolled(unit(clips.mean(axis=0)), len(clips))
    return enrolled
