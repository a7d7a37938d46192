"""Reads notes from the pitch network's probabilities.

Bittner et al. 2022, section 3.3: a note begins at a peak of the onsets and lasts as long as its pitch sounds; what is left then
is searched for notes whose onset was missed.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.recognition.constant_q import FRAME_SECONDS, LOWEST_PITCH
from models.recognition.pitch_estimator import PitchActivity

Floats = NDArray[np.float32]

ONSET_THRESHOLD, NOTE_THRESHOLD = 0.5, 0.3
SHORTEST_FRAMES = 11  # 128 ms
GAP_FRAMES = 11  # below the threshold, across which a note goes on

OVERTONES = (0, 12, 19, 24, 28, 31, 34, 36)  # semitones above a pitch
MOST = 0.7


@dataclass(frozen=True, slots=True)
class HeardNote:
    """A note: MIDI pitch, when it begins and ends, and two probabilities (0…1) of the network.

    `onset` is that it begins there, `strength` that it sounds, on average over its length.
    """

    pitch: int
    start_seconds: float
    end_seconds: float
    onset: float = 1.0
    strength: float = 1.0


def read_notes(activity: PitchActivity, *, missed_onsets: bool = True) -> tuple[HeardNote, ...]:
    """The notes of a recording, by onset.

    Without `missed_onsets` only those with an onset, whose search takes time in proportion to the recording.
    """
    left, found = activity.note.copy(), list[HeardNote]()

    def take(row: int, start: int, end: int) -> None:
        """Keep a note unless it is too short; neighbouring pitches lose their share of it."""
        if end - start > SHORTEST_FRAMES:
            left[max(0, row - 1) : row + 2, start:end] = 0
            found.append(_note(activity, row, start, end))

    peaks = _peaks(_with_rises(activity))
    for frame, row in sorted(zip(*np.nonzero(peaks.T), strict=True), reverse=True):
        take(int(row), int(frame), _end(left[row], int(frame)))
    while missed_onsets and left.max(initial=0) > NOTE_THRESHOLD:
        row, middle = divmod(int(left.argmax()), left.shape[1])
        start = len(left[row]) - _end(left[row, ::-1], left.shape[1] - 1 - middle)
        end = _end(left[row], middle)
        left[row, middle] = 0  # also where the note is too short
        take(row, start, end)
    return tuple(sorted(found, key=lambda note: (note.start_seconds, note.pitch)))


def single_pitch(notes: Sequence[HeardNote]) -> int | None:
    """The pitch of a recording of one note, however often it is struck; None of a recording of several, or of none.

    It is the pitch that sounds most, if it and its overtones are most of all that sounds.
    """
    weight_of: dict[int, float] = defaultdict(float)
    for note in notes:
        weight_of[note.pitch] += note.strength * (note.end_seconds - note.start_seconds)
    if not weight_of:
        return None
    pitch = max(weight_of, key=lambda one: (weight_of[one], -one))
    own = sum(weight for one, weight in weight_of.items() if one - pitch in OVERTONES)
    return pitch if own > MOST * sum(weight_of.values()) else None


def _note(activity: PitchActivity, row: int, start: int, end: int) -> HeardNote:
    """The note of a row that sounds in frames `start`…`end`; its onset may be a frame early or late."""
    onset = float(activity.onset[row, max(0, start - 1) : start + 2].max())
    strength = float(activity.note[row, start:end].mean())
    return HeardNote(row + LOWEST_PITCH, start * FRAME_SECONDS, end * FRAME_SECONDS, onset, strength)


def _end(note: Floats, frame: int) -> int:
    """The frame after the last in which a note sounds that sounds at `frame`, of the probabilities of its pitch `[frames]`."""
    last, quiet = frame, 0
    for place in range(frame + 1, len(note)):
        quiet = 0 if note[place] >= NOTE_THRESHOLD else quiet + 1
        if quiet == GAP_FRAMES:
            break
        last = last if quiet else place
    return last + 1


def _with_rises(activity: PitchActivity) -> Floats:
    """Onsets `[88, frames]`, with what rises in the notes over one frame and over two, brought to the same maximum."""
    note, onset = activity.note, activity.onset
    rise = np.zeros_like(note)
    rise[:, 2:] = np.maximum(np.minimum(note[:, 2:] - note[:, 1:-1], note[:, 2:] - note[:, :-2]), 0)
    highest = float(rise.max(initial=0))
    return np.maximum(onset, rise * (float(onset.max()) / highest)) if highest else onset


def _peaks(onset: Floats) -> NDArray[np.bool_]:
    """Where `onset [88, frames]` is above both neighbours in time, and above the threshold."""
    padded = np.pad(onset, ((0, 0), (1, 1)), constant_values=np.inf)
    is_peak: NDArray[np.bool_] = (
        (onset > padded[:, :-2]) & (onset > padded[:, 2:]) & (onset >= ONSET_THRESHOLD)
    )
    return is_peak
