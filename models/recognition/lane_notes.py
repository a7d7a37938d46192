"""Gives the notes of a mixture to its lanes: to those that sound then and whose family plays so high or low.

The cells that slots attend to do not divide notes (docs/EXPERIMENTS.md, "Notes of a lane"), so what an answer says of its lanes
decides: their presence over time, and the registers of their families. Where two lanes claim a note about equally, both get
it: with two and three instruments that gives better parts than a division.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.recognition.notes import HeardNote
from models.tracks import Curve, Span

# Chosen on validation instruments (docs/EXPERIMENTS.md, "Notes of a lane").
LEAST_ONSET = 0.6  # least probability of the onset of a note that any lane gets
CLAIM = 0.5  # a lane gets a note if its share is at least so much of the largest
CONFIDENT = 0.45  # least confidence of a part that is offered; `showme evaluate notes` measures those

UNPITCHED = ("drum", "effect")  # lanes of these families have no notes
# Mean and standard deviation of the pitches that training MIDI tracks of each family play, every track weighing the same.
REGISTERS = {
    "bass": (44.9, 14.7),
    "brass": (62.1, 10.2),
    "flute": (78.1, 9.2),
    "guitar": (58.9, 12.2),
    "keyboard": (62.3, 12.4),
    "mallet": (67.5, 14.1),
    "organ": (60.4, 11.1),
    "reed": (65.4, 11.0),
    "string": (59.7, 13.2),
    "synth_lead": (60.7, 16.3),
    "synth_pad": (64.6, 12.2),
    "vocal": (64.0, 9.0),
}
ANY_REGISTER = (62.0, 14.0)  # of a lane whose family is not known


@dataclass(frozen=True)
class SoundingLane:
    """A lane as an answer tells it: presence over time, spans in which it sounds, probabilities of its families.

    The spans count only where there is no curve.
    """

    curve: Curve
    active: Sequence[Span] = ()
    families: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LaneNotes:
    """The notes of one lane, by onset, and how surely they are its own notes, 0 to 1; 0 where there are none."""

    notes: tuple[HeardNote, ...] = ()
    confidence: float = 0.0

    @property
    def is_confident(self) -> bool:
        """Whether the part is good enough to be offered."""
        return self.confidence >= CONFIDENT


def notes_of_lanes(notes: Sequence[HeardNote], lanes: Sequence[SoundingLane]) -> tuple[LaneNotes, ...]:
    """Give each note of a mixture that surely begins to the lanes that claim it; one `LaneNotes` for each lane.

    A lane's share of a note is its presence at the onset times the density of the pitch in its families' registers, relative
    to that of all lanes. Every note in a sounding lane is given to at least one. The confidence of a lane is the mean over
    its notes of its share times the probability of the onset.
    """
    sure = sorted(
        (note for note in notes if note.onset >= LEAST_ONSET),
        key=lambda note: (note.start_seconds, note.pitch),
    )
    if not sure or not lanes:
        return tuple(LaneNotes() for _ in lanes)
    share = shares_of_notes(sure, lanes)
    claims = (share > 0) & (share >= CLAIM * share.max(axis=0))  # [lanes, notes]
    onset = np.array([note.onset for note in sure])
    return tuple(
        LaneNotes(
            tuple(note for note, claimed in zip(sure, row, strict=True) if claimed),
            float((own * onset)[row].mean()) if row.any() else 0.0,
        )
        for own, row in zip(share, claims, strict=True)
    )


def shares_of_notes(notes: Sequence[HeardNote], lanes: Sequence[SoundingLane]) -> NDArray[np.float64]:
    """Return the share of each lane in each note, `[lanes, notes]`; the columns sum to 1, or to 0 where no lane sounds."""
    starts = np.array([note.start_seconds for note in notes])
    pitches = np.array([note.pitch for note in notes], np.float64)
    weight = np.stack(
        [presence_at(lane, starts) * register_density(lane.families, pitches) for lane in lanes]
    )
    total = weight.sum(axis=0)
    share: NDArray[np.float64] = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    return share


def presence_at(lane: SoundingLane, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The presence of a lane at each of `seconds [n]`: its curve, in straight lines between the windows' centres."""
    if lane.curve:
        times, heights = zip(*lane.curve, strict=True)
        return np.interp(seconds, times, heights)
    sounds = [any(start <= second < end for start, end in lane.active) for second in seconds.tolist()]
    return np.array(sounds, np.float64)


def register_density(families: Mapping[str, float], pitches: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the density of each pitch `[n]` in the registers of a lane's families; zero for what plays no pitches."""
    likely = max(families, key=families.__getitem__, default=None)
    if likely in UNPITCHED:
        return np.zeros_like(pitches)
    pitched = {family: share for family, share in families.items() if family in REGISTERS and share > 0}
    if not pitched:
        return _normal(pitches, *ANY_REGISTER)
    parts = [share * _normal(pitches, *REGISTERS[family]) for family, share in pitched.items()]
    density: NDArray[np.float64] = np.sum(parts, axis=0) / sum(pitched.values())
    return density


def _normal(pitches: NDArray[np.float64], mean: float, spread: float) -> NDArray[np.float64]:
    """The density of a normal distribution at each pitch `[n]`; never zero, so that a lone lane gets every note."""
    scaled = (pitches - mean) / spread
    density: NDArray[np.float64] = np.exp(-0.5 * scaled**2) / (spread * math.sqrt(2 * math.pi)) + 1e-12
    return density
