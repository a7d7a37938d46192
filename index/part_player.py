"""Plays parts and single notes on an instrument of the index, from the source that it was enrolled from.

Presets of SoundFonts, SFZ instruments, note banks and NSynth play any notes, moved by octaves where they are out of range. A
folder of one-shots plays its nearest sample, transposed by a fifth at most.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from index.catalog import Catalog
from index.libraries import DataFolder
from index.source_finder import GivenSource, SourceFinder, enrolled_instrument
from index.sources.base import (
    PREVIEW_PEAK_DBFS,
    Floats,
    Note,
    PlayableInstrument,
    SourceInstrument,
    is_playable,
    is_silent,
)
from index.sources.folder import FolderInstrument, PitchOf
from index.sources.opening import SourceOpener
from index.sources.playing import fit_range
from index.sources.sampled import SampledInstrument
from models.errors import CannotPlay, SourceError

PART_SAMPLE_RATE = 44_100
MAX_PART_SECONDS = 300.0  # the rest of a longer part is not played
TAIL_SECONDS = 2.0  # in which the last notes end
NOTE_SECONDS = 3.0  # that a single note is held
NEIGHBOURS = 12  # semitones on either side of a single note that are played with it, since opening a source takes longer
INAUDIBLE_DB = -66.0  # below its peak, where a single note is cut
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
        length = min(seconds, MAX_PART_SECONDS)
        heard = [note for note in notes if note.start_seconds < length]
        with self._found(instrument_id, given) as instrument:
            return _played(instrument, heard, length + TAIL_SECONDS, self._pitch_of)

    def keys(self, instrument_id: str, given: Sequence[GivenSource] = ()) -> tuple[int, ...]:
        """Return the MIDI pitches that an instrument plays as single notes, ascending; one-shots are listened to for it.

        Raises InstrumentNotFound, and CannotPlay with the reason.
        """
        with self._found(instrument_id, given) as instrument:
            return _keys(_player_of(instrument, self._pitch_of))

    def notes(
        self, instrument_id: str, pitch: int, velocity: int, given: Sequence[GivenSource] = ()
    ) -> dict[int, Floats]:
        """Render the note of a MIDI pitch and its `NEIGHBOURS`, by pitch: each mono `[n]` at `PART_SAMPLE_RATE`.

        Each is held for `NOTE_SECONDS`, and cut where it has become inaudible; its loudest sample is at −3 dBFS, so `velocity`
        tells its timbre alone. Raises InstrumentNotFound, and CannotPlay with the reason.
        """
        with self._found(instrument_id, given) as instrument:
            return _single_notes(_player_of(instrument, self._pitch_of), pitch, velocity)

    @contextmanager
    def _found(self, instrument_id: str, given: Sequence[GivenSource]) -> Iterator[SourceInstrument]:
        """Find an instrument in its source while the block runs, in which a SourceError becomes CannotPlay."""
        row = enrolled_instrument(self._catalog, instrument_id)
        finder = SourceFinder(self._folder, given, self._opener, self._roots)
        try:
            yield finder.find(row).instrument
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
        raise _recorded(instrument)
    if is_silent(samples):
        raise SourceError(f"{instrument.name} stays silent in this part", value=instrument.source)
    return _normalised(samples)


def _recorded(instrument: SourceInstrument) -> SourceError:
    return SourceError(f"{instrument.name} is made of recordings", value=instrument.source)


def _normalised(samples: Floats) -> Floats:
    return samples * np.float32(10 ** (PREVIEW_PEAK_DBFS / 20) / np.abs(samples).max())


def _player_of(instrument: SourceInstrument, pitch_of: PitchOf) -> PlayableInstrument | SampledInstrument:
    """Return what plays an instrument's single notes; the keys of a drum kit are its pieces. Raises SourceError."""
    if is_playable(instrument):
        return instrument
    if isinstance(instrument, FolderInstrument):
        return instrument.one_shots(pitch_of)
    raise _recorded(instrument)


def _keys(player: PlayableInstrument | SampledInstrument) -> tuple[int, ...]:
    low, high = player.playable_range
    reaches = player.reaches if isinstance(player, SampledInstrument) else None
    return tuple(pitch for pitch in range(low, high + 1) if reaches is None or reaches(pitch))


def _single_notes(
    player: PlayableInstrument | SampledInstrument, pitch: int, velocity: int
) -> dict[int, Floats]:
    """Play a note and its neighbours, without those that stay silent. Raises SourceError if it is no key, or silent."""
    keys = _keys(player)
    if pitch not in keys:
        reach = f"{keys[0]} to {keys[-1]}" if keys else "none"
        message = f"{player.name} does not play MIDI pitch {pitch}; its keys are {reach}"
        raise SourceError(message, value=pitch, limit=reach)
    found = {}
    for near in keys:
        if abs(near - pitch) <= NEIGHBOURS:
            note = Note(near, velocity, 0.0, NOTE_SECONDS)
            samples = player.play([note], NOTE_SECONDS + TAIL_SECONDS, PART_SAMPLE_RATE)
            if not is_silent(samples):
                found[near] = _normalised(_without_end(samples))
    if pitch not in found:
        raise SourceError(f"{player.name} stays silent at MIDI pitch {pitch}", value=pitch)
    return found


def _without_end(samples: Floats) -> Floats:
    """Cut `samples [n]` where they have become inaudible."""
    level = np.abs(samples)
    audible = np.flatnonzero(level > 10 ** (INAUDIBLE_DB / 20) * level.max())
    return samples[: audible[-1] + 1]


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
