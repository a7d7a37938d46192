"""The notes by which instruments are compared: the note banks' eight slots, rendered where an instrument has none.

They are the pitches and velocities of `SLOT_NOTES`, each three seconds long with the key held for 2.2 s.
"""

from pathlib import Path

import numpy as np

from index.sources.base import Note, PlayableInstrument, is_playable
from index.sources.note_bank import SLOT_NOTES, SLOT_SECONDS, NoteBankInstrument
from models.errors import SourceError
from models.front_end import FrontEndConfig
from training.near_duplicates import MIN_SHARED_SLOTS, InstrumentFeatures, SlotAudio, extract_features
from training.real.source import RealSource

KEY_HELD_SECONDS = 2.2
FULL_LEVEL = 0.6  # the note banks' instruments peak here


def bank_slots(instrument: NoteBankInstrument) -> SlotAudio | None:
    """The eight slots of an instrument, with None for silent ones; None when the instrument cannot be used."""
    if instrument.is_recorded:
        return played_slots(instrument)
    try:
        slots = instrument.slots()
    except SourceError:
        return None
    return slots if sum(slot is not None for slot in slots) >= MIN_SHARED_SLOTS else None


def played_slots(instrument: PlayableInstrument) -> SlotAudio:
    """The slots of an instrument that has none: the note banks' pitches and velocities, at their level."""
    rate = FrontEndConfig().sample_rate
    slots = [
        instrument.play((Note(int(pitch), velocity, 0.0, KEY_HELD_SECONDS),), SLOT_SECONDS, rate)
        for pitch, velocity in SLOT_NOTES
    ]
    peak = max(float(np.abs(slot).max()) for slot in slots)
    return [slot * (FULL_LEVEL / peak) if peak > 0 else None for slot in slots]


def recorded_features(real: Path) -> InstrumentFeatures:
    """The features of the sampled instruments that train, of a folder of real recordings; drum kits have no pitches.

    Raises SourceError for a damaged index, TrainingError when no sampled instrument trains.
    """
    players = (
        item for item in RealSource(real).originals("train") if is_playable(item) and item.family != "drum"
    )
    return extract_features((item.id, played_slots(item)) for item in players)
