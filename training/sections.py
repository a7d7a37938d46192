"""Finds five-second sections of several tracks: windows of a MIDI file in which at least two tracks play three notes.

Section 4 of Kim et al. 2022: "a five-second-long multi-track MIDI section containing at least two valid tracks in which
at least three notes are played". A note counts when it begins in the window, early enough to be heard.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from training.midi import MidiCollection, family_of_track
from training.midi_notes import MAX_HOURS
from training.phrases import MIN_NOTES, ONSET_SECONDS, PHRASE_SECONDS, Phrase, cut, starts_of_three

MIN_TRACKS = 2
HOP_SECONDS = 1.0  # between windows; a power of two, so that the grid is exact
assert MAX_HOURS * 3600 / HOP_SECONDS < 2**16


@dataclass(frozen=True)
class SectionTrack:
    """The notes of one track in a section, in the section's time."""

    family: str
    is_drum: bool
    notes: Phrase


class SectionBook:
    """The sections of a collection, found once. `drums` includes tracks of channel 10.

    `num_sections` counts them; `sections_by_tracks` counts them by their number of tracks.
    """

    def __init__(self, midi: MidiCollection, *, drums: bool = False) -> None:
        self._midi, self._drums = midi, drums
        windows = [np.zeros(0, np.uint16)]
        sections_of_file = np.zeros(len(midi.files), np.int64)
        sizes = np.zeros(0, np.int64)
        for first, until in midi.blocks():
            file, window, tracks = self._find(first, until)
            windows.append(window.astype(np.uint16))
            np.add.at(sections_of_file, file, 1)
            counted = np.bincount(tracks, minlength=len(sizes))
            sizes = counted + np.pad(sizes, (0, len(counted) - len(sizes)))
        self._windows = np.concatenate(windows)  # [sections], by file
        self._sections_before = np.cumsum(sections_of_file)  # … the end of each file
        self.num_sections = len(self._windows)
        self.sections_by_tracks = {tracks: int(count) for tracks, count in enumerate(sizes) if count}

    def section(self, generator: np.random.Generator) -> tuple[SectionTrack, ...]:
        """A section drawn uniformly: its two or more valid tracks, in the order of the file.

        A valid track has at least three notes that begin in the section; notes that sound at its start are kept, cut.
        Raises TrainingError when there is no section.
        """
        if not self.num_sections:
            raise TrainingError("this part of the MIDI files holds no section of two tracks")
        return self.at(int(generator.integers(self.num_sections)))

    def at(self, number: int) -> tuple[SectionTrack, ...]:
        """The section `number` (0…num_sections - 1), by file and time."""
        midi, start = self._midi, int(self._windows[number]) * HOP_SECONDS
        file = int(np.searchsorted(self._sections_before, number, side="right"))
        first, until = np.searchsorted(midi.file_of_track, [file, file + 1])
        spans = midi.spans[first:until]
        rows = midi.notes[spans[0, 0] : spans[-1, 1]]
        sounding = np.flatnonzero((rows[:, 2] < start + PHRASE_SECONDS) & (rows[:, 3] > start))
        rows = rows[sounding]
        begins = (rows[:, 2] >= start) & (rows[:, 2] < start + ONSET_SECONDS)
        edges = np.searchsorted(sounding, np.append(spans[:, 0], spans[-1, 1]) - spans[0, 0])
        onsets = np.diff(np.append(0, np.cumsum(begins))[edges])
        return tuple(
            self._track(first + track, cut(rows[edges[track] : edges[track + 1]], start))
            for track in np.flatnonzero((onsets >= MIN_NOTES) & self._is_included(first, until))
        )

    def _track(self, track: int, notes: Phrase) -> SectionTrack:
        is_drum = bool(self._midi.is_drum[track])
        return SectionTrack(family_of_track(int(self._midi.programs[track]), is_drum), is_drum, notes)

    def _is_included(self, first: int, until: int) -> NDArray[np.bool_]:
        return np.asarray(~self._midi.is_drum[first:until] | self._drums)

    def _find(self, first: int, until: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The sections of a block of tracks: file, window on the grid and number of tracks, each [sections]."""
        midi = self._midi
        starts, begins = starts_of_three(midi, first, until)
        lengths = midi.spans[first:until, 1] - midi.spans[first:until, 0]
        place = np.flatnonzero(begins & np.repeat(self._is_included(first, until), lengths))
        track = np.repeat(np.arange(first, until), lengths)[place]
        # Three onsets a ≤ b ≤ c lie in the windows that begin after c - ONSET_SECONDS and not after a.
        low = np.floor((starts[place + MIN_NOTES - 1] - ONSET_SECONDS) / HOP_SECONDS).astype(np.int64) + 1
        high = np.floor(starts[place] / HOP_SECONDS).astype(np.int64)
        # Both grow along a track; start after the windows of earlier onsets, so that no window counts twice.
        same_track = np.diff(track, prepend=-1) == 0
        covered = np.where(same_track, np.roll(high, 1), -1)
        low = np.maximum(np.maximum(low, 0), covered + 1)
        some = low <= high
        low, high, track = low[some], high[some], track[some]
        files, ordinal = np.unique(midi.file_of_track[first:until], return_inverse=True)
        row = ordinal[track - first]
        width = int(high.max(initial=0)) + 2
        steps = np.bincount(row * width + low, minlength=width * len(files))
        steps = steps - np.bincount(row * width + high + 1, minlength=width * len(files))
        tracks = np.cumsum(steps)
        found = np.flatnonzero(tracks >= MIN_TRACKS)
        return files[found // width].astype(np.int64), found % width, tracks[found]
