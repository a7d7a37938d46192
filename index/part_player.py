"""Plays a part on an instrument of the index, from the source that it was enrolled from.

Presets of SoundFonts, SFZ instruments, note banks and NSynth play any notes, moved by octaves where they are out of range. A
folder of one-shots plays its nearest sample, transposed by a fifth at most.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from index.catalog import Catalog
from index.libraries import DataFolder
from index.source_finder import GivenSource, SourceFinder, enrolled_instrument
from index.sources.base import PREVIEW_PEAK_DBFS, Floats, Note, SourceInstrument, is_playable, is_silent
from index.sources.folder import FolderInstrument, PitchOf
from index.sources.opening import SourceOpener
from index.sources.playing import fit_range
from index.sources.sampled import SampledInstrument
from models.errors import CannotPlay, SourceError

PART_SAMPLE_RATE = 44_100
MAX_PART_SECONDS = 300.0  # the rest of a longer part is not played
TAIL_SECONDS = 2.0  # in which the last notes end
LEAST_REACHED = 0.5  # of a part's notes that one-shots must reach
DRUM = "drum"


class PartPlayer:
    """Finds instruments in their sources and has them play. Each call opens the source anew, and ends its worker."""

    def __init__(
        self,
        catalog: Catalog,
        folder: DataFolder,
        opener: SourceOpener,
        pitch_of: PitchOf,
        roots: Sequence[Path] | None = None,
    ) -> None:
        """`roots` are the folders below which sources are read, as of `SourceFinder`; `pitch_of` hears one-shots."""
        self._catalog = catalog
        self._folder = folder
        self._opener = opener
        self._pitch_of = pitch_of
        self._roots = roots

    def play(
        self, instrument_id: str, notes: Sequence[Note], seconds: float, given: Sequence[GivenSource] = ()
    ) -> Floats:
        """Render `notes` for `seconds`, at most `MAX_PART_SECONDS`, and a tail: mono `[n]` at `PART_SAMPLE_RATE`.

        The instrument is looked for in the `given` sources first. Raises InstrumentNotFound, and CannotPlay with the reason.
        """
        row = enrolled_instrument(self._catalog, instrument_id)
        finder = SourceFinder(self._folder, given, self._opener, self._roots)
        length = min(seconds, MAX_PART_SECONDS)
        heard = [note for note in notes if note.start_seconds < length]
        try:
            return _played(finder.find(row).instrument, heard, length + TAIL_SECONDS, self._pitch_of)
        except SourceError as error:
            raise CannotPlay(error.message, value=error.value, limit=error.limit) from error


def _played(instrument: SourceInstrument, notes: Sequence[Note], seconds: float, pitch_of: PitchOf) -> Floats:
    """Play notes on an instrument, the loudest sample at −3 dBFS. Raises SourceError, also where all stays silent."""
    if instrument.family == DRUM:
        raise SourceError(f"{instrument.name} is a drum, which plays no pitches", value=instrument.source)
    if is_playable(instrument):
        fitted = fit_range(notes, *instrument.playable_range)
        samples = instrument.play(fitted, seconds, PART_SAMPLE_RATE)
    elif isinstance(instrument, FolderInstrument):
        samples = _played_by_one_shots(instrument.one_shots(pitch_of), notes, seconds)
    else:
        raise SourceError(f"{instrument.name} is made of recordings", value=instrument.source)
    if is_silent(samples):
        raise SourceError(f"{instrument.name} stays silent in this part", value=instrument.source)
    return samples * np.float32(10 ** (PREVIEW_PEAK_DBFS / 20) / np.abs(samples).max())


def _played_by_one_shots(instrument: SampledInstrument, notes: Sequence[Note], seconds: float) -> Floats:
    """Play the notes that are near a sample. Raises SourceError if these are fewer than `LEAST_REACHED` of all."""
    reached = sum(instrument.reaches(note.pitch) for note in notes)
    if reached < LEAST_REACHED * len(notes):
        low, high = min(note.pitch for note in notes), max(note.pitch for note in notes)
        message = (
            f"{reached} of the part's {len(notes)} notes (MIDI {low} to {high}) lie within a fifth of a sample of "
            f"{instrument.name}; at least half must"
        )
        raise SourceError(message, value=reached, limit=len(notes) / 2)
    return instrument.play(notes, seconds, PART_SAMPLE_RATE)
