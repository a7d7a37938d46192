"""Draws five-second phrases for one instrument: random excerpts of MIDI tracks.

Section 4 of Kim et al. 2022: random five-second excerpts of MIDI tracks with at least three notes, of the instrument's
family where it is known. The other phrases (`training/compose.py`) are ours.
"""

from bisect import bisect_left, bisect_right

import numpy as np
from numpy.typing import NDArray

from index.sources.base import Note
from models.errors import TrainingError
from training.midi import MidiCollection, family_of_track
from training.midi_notes import MAX_NOTE_SECONDS

Phrase = tuple[Note, ...]

PHRASE_SECONDS = 5.0
MIN_NOTES = 3
MIN_NOTE_SECONDS = 0.04  # a note that an edge cuts shorter than this is dropped
# A later onset is not heard. This is a sum of powers of two, so that float32 times plus it are exact.
ONSET_SECONDS = 4.9375
UNHEARD_SECONDS = PHRASE_SECONDS - ONSET_SECONDS  # before the end of a section of any length
MAX_TRIES = 16  # random onsets of a track that are tried before all its valid onsets are listed


def cut(rows: NDArray[np.float32], start_seconds: float, seconds: float = PHRASE_SECONDS) -> Phrase:
    """The notes that sound in the `seconds` from `start_seconds`, in the window's time; `rows` [n, 4] as in MidiTrack.

    Notes that cross an edge are cut there, and dropped when they become shorter than MIN_NOTE_SECONDS.
    """
    times = rows[:, 2:].astype(np.float64) - start_seconds
    times = np.clip(times, 0.0, seconds)
    sounding = times[:, 1] - times[:, 0] >= MIN_NOTE_SECONDS
    keys = rows[sounding, :2].astype(int).tolist()
    return tuple(
        Note(pitch, velocity, start, end)
        for (pitch, velocity), (start, end) in zip(keys, times[sounding].tolist(), strict=True)
    )


def starts_of_three(
    midi: MidiCollection, first: int, until: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The onsets [n] of tracks `first`…`until` of a block, and a mask [n] of those that begin three in one window."""
    spans = midi.spans[first:until] - midi.spans[first, 0]
    starts = midi.notes[midi.spans[first, 0] : midi.spans[until - 1, 1], 2].astype(np.float64)
    begins = np.zeros(len(starts), bool)
    begins[: 1 - MIN_NOTES] = starts[MIN_NOTES - 1 :] < starts[: 1 - MIN_NOTES] + ONSET_SECONDS
    for back in range(1, MIN_NOTES):  # another track's onsets follow the last ones of a track
        begins[np.maximum(spans[:, 1] - back, spans[:, 0])] = False
    return starts, begins


class PhraseBook:
    """Random phrases from the tracks of a collection. `drums` includes tracks of channel 10.

    `num_tracks` counts the tracks with a phrase: three onsets within one window of five seconds.
    """

    def __init__(self, midi: MidiCollection, *, drums: bool = False) -> None:
        self._midi = midi
        able = np.zeros(len(midi.spans), bool)
        for first, until in midi.blocks():
            _, begins = starts_of_three(midi, first, until)
            rows = midi.spans[first:until, 0] - midi.spans[first, 0]
            able[first:until] = np.logical_or.reduceat(begins, rows)
        if not drums:
            able &= ~midi.is_drum
        tracks = np.flatnonzero(able)
        self.num_tracks = len(tracks)
        self._melodic = tracks[~midi.is_drum[tracks]]
        kinds, kind_of_track = np.unique(
            midi.programs[tracks] + 256 * midi.is_drum[tracks], return_inverse=True
        )
        self._of_family: dict[str, NDArray[np.intp]] = {}
        families = np.array(
            [family_of_track(int(kind) % 256, bool(kind >= 256)) for kind in kinds], dtype=object
        )
        for family in sorted(set(families)):
            self._of_family[family] = tracks[(families == family)[kind_of_track]]

    def tracks_of_family(self) -> dict[str, int]:
        """The number of tracks with a phrase of each family."""
        return {family: len(tracks) for family, tracks in self._of_family.items()}

    def excerpt(self, generator: np.random.Generator, family: str | None = None) -> Phrase:
        """A random phrase of at least three notes; it depends on the collection and the generator's state alone.

        It comes from a track of `family`; without a family, or without a track of it, from any track but drums.
        Raises TrainingError when there is no such track.
        """
        tracks = self._pool(family)
        if not len(tracks):
            raise TrainingError("this part of the MIDI files holds no phrase")
        track = tracks[int(generator.integers(len(tracks)))]
        rows = self._midi.notes[slice(*self._midi.spans[track])]
        starts = rows[:, 2]
        begin = float(starts[self._place(generator, starts)])
        lead_in = float(generator.uniform(0.0, 1.0))
        for window in (max(0.0, begin - lead_in), begin):
            first = bisect_right(starts, window - MAX_NOTE_SECONDS - 1.0)  # nothing older still sounds
            phrase = cut(rows[first : bisect_left(starts, window + PHRASE_SECONDS)], window)
            if len(phrase) >= MIN_NOTES:
                break
        return phrase

    def _pool(self, family: str | None) -> NDArray[np.intp]:
        """The candidate tracks for a phrase of the family."""
        return self._of_family.get(family or "", self._melodic)

    def _place(self, generator: np.random.Generator, starts: NDArray[np.float32]) -> int:
        """Draw uniformly one of the onsets that begin three in one window."""
        last = len(starts) - MIN_NOTES + 1
        for _ in range(MAX_TRIES):
            place = int(generator.integers(last))
            if float(starts[place + MIN_NOTES - 1]) < float(starts[place]) + ONSET_SECONDS:
                return place
        times = starts.astype(np.float64)
        places = np.flatnonzero(times[MIN_NOTES - 1 :] < times[:last] + ONSET_SECONDS)
        return int(places[generator.integers(len(places))])
