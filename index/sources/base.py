"""Protocols of sources and their instruments, and the enrollment phrases.

The phrases replace the five enrollment samples of section 5.1 of Kim et al. 2022: the same eight for every instrument,
from low to high registers, single notes to chords, soft to loud.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SILENCE_DBFS = -70.0  # a clip with a lower RMS counts as silent
PREVIEW_PEAK_DBFS = -3.0
PREVIEW_FADE_SECONDS = 0.25
MAX_PREVIEW_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Note:
    """A key held from `start_seconds` to `end_seconds`; pitch and velocity as in MIDI (0…127)."""

    pitch: int
    velocity: int
    start_seconds: float
    end_seconds: float


class SourceInstrument(Protocol):
    """One instrument of a source."""

    @property
    def id(self) -> str:
        """Stable, unique within its source and safe in file names; manifests and seeds use it."""
        ...

    @property
    def name(self) -> str: ...

    @property
    def family(self) -> str | None:
        """One of `index.families.FAMILIES`, or None if unknown."""
        ...

    @property
    def source(self) -> str:
        """Its origin, for example `TimGM6mb.sf2#0:25`."""
        ...

    @property
    def licence(self) -> str | None:
        """A short note, for example "CC-BY-4.0" or a SoundFont's copyright line; None if unknown."""
        ...

    @property
    def playable_range(self) -> tuple[int, int] | None:
        """Lowest and highest MIDI pitch, constant; None for recordings, which play no notes."""
        ...

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Unusable parts of a usable instrument, as (what, reason); complete once `clips` has run."""
        ...

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        """Return sounding clips `[n ≥ 1, clip_samples]`. Raises SourceError if there is none."""
        ...

    def preview(self) -> tuple[Floats, int]:
        """Return at most 6 s of samples `[n]` or `[n, 2]`, and their sample rate. Raises SourceError if silent."""
        ...


class PlayableInstrument(SourceInstrument, Protocol):
    """An instrument that turns notes into sound."""

    @property
    def playable_range(self) -> tuple[int, int]: ...

    def play(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        """Render mono samples `[round(seconds · sample_rate)]`, independent of earlier calls.

        Raises SourceError if nothing of the instrument sounds.
        """
        ...


def is_playable(instrument: SourceInstrument) -> TypeGuard[PlayableInstrument]:
    """Return whether the instrument plays notes."""
    return instrument.playable_range is not None


def is_drum_kit(instrument: SourceInstrument) -> bool:
    """Return whether General MIDI's percussion keys play the pieces of a kit on the instrument."""
    return bool(getattr(instrument, "is_drum_kit", False))


class InstrumentSource(Protocol):
    """A finite collection of instruments in a fixed order.

    Opening a source is cheap: audio is decoded when an instrument is played and freed with the instrument.
    """

    @property
    def name(self) -> str: ...

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that instruments are read from, sorted; data sets hash them."""
        ...

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Unusable instruments and files, as (what, reason)."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[SourceInstrument]: ...

    def get(self, key: str) -> SourceInstrument:
        """Return the instrument of an id, not yet decoded. Raises SourceError if there is none."""
        ...


def is_silent(samples: Floats) -> bool:
    """Return whether the RMS of `samples` (any shape, full scale 1.0) is below −70 dBFS."""
    if not samples.size:
        return True
    flat = samples.ravel()
    return float(np.dot(flat, flat)) / flat.size < 10.0 ** (SILENCE_DBFS / 10.0)


def finish_preview(samples: Floats, sample_rate: int) -> Floats:
    """Cut to 6 s, normalise the peak to −3 dBFS and fade out; `samples` is `[n]` or `[n, channels]`."""
    cut = samples[: int(MAX_PREVIEW_SECONDS * sample_rate)].astype(np.float32)
    peak = float(np.abs(cut).max(initial=0.0))
    if peak > 0.0:
        cut *= np.float32(10.0 ** (PREVIEW_PEAK_DBFS / 20.0) / peak)
    fade_samples = min(len(cut), int(PREVIEW_FADE_SECONDS * sample_rate))
    if fade_samples:
        ramp = np.linspace(1.0, 0.0, fade_samples, dtype=np.float32)
        ramp[-1] = 0.0  # also for a ramp of one sample
        cut[-fade_samples:] *= ramp if cut.ndim == 1 else ramp[:, None]
    return cut


# (velocity, [(pitches, start, end)…]) with times as fractions of the clip
_Phrase = tuple[int, list[tuple[tuple[int, ...], float, float]]]


def _line(pitches: list[int], *, hold: float) -> list[tuple[tuple[int, ...], float, float]]:
    """Return consecutive notes over the whole clip, each held for the share `hold` of its step."""
    step = 1.0 / len(pitches)
    return [((pitch,), i * step, (i + hold) * step) for i, pitch in enumerate(pitches)]


def _phrase_table() -> list[_Phrase]:
    up_and_down = [48, 52, 55, 60, 64, 67, 72, 67, 64, 60, 55, 52]
    return [
        (100, _line([36, 43, 40, 36], hold=0.9)),  # low, detached
        (70, _line([48, 50, 52, 53, 55, 53], hold=1.0)),  # tenor, legato
        (90, _line([60, 64, 62, 67, 65, 64, 62, 60], hold=0.8)),  # middle, melody
        (80, _line(up_and_down, hold=1.0)),  # two octaves, arpeggio
        (75, [((48, 55, 60, 64), 0.0, 0.45), ((53, 57, 60, 65), 0.5, 0.95)]),  # chords
        (105, _line([72, 76, 79, 76, 74], hold=0.9)),  # high
        (45, [((55,), 0.0, 0.48), ((62,), 0.5, 0.98)]),  # soft, sustained
        (115, _line([43, 55, 48, 60, 67, 55, 72, 60, 48, 64], hold=0.4)),  # loud, staccato, leaps
    ]


@lru_cache(maxsize=8)
def enrollment_phrases(clip_seconds: float) -> tuple[tuple[Note, ...], ...]:
    """Return the eight phrases that enrol every playable instrument, each `clip_seconds` long (5 s in training)."""
    return tuple(
        tuple(
            Note(pitch, velocity, start * clip_seconds, end * clip_seconds)
            for pitches, start, end in events
            for pitch in pitches
        )
        for velocity, events in _phrase_table()
    )
