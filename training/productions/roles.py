"""The roles of instruments in a production, and the split that each takes part in.

A drum kit plays the drum tracks, playable instruments the other tracks; a voice is cut from recordings.
"""

import hashlib
from typing import Literal

from index.sources.base import SourceInstrument, is_drum_kit, is_playable
from models.front_end import FrontEndConfig
from training.midi import DRUM
from training.nlakh.dataset import TRAIN, VALID
from training.real.recordings import is_excerpted

Role = Literal["drums", "track", "voice"]

VOCAL = "vocal"
TEST, TEST_REAL = "test-", "test-real"  # the prefix of all test splits; the test side of real recordings
VALID_GROUPS = 5  # one group of recorded kits and voices in this many validates
# Enrollment hears the first clip of a recording, so productions use what follows.
ENROLLED_SECONDS = FrontEndConfig().clip_seconds
LEAST_VOICE_SECONDS = 3.0  # of a recording, after its first clip


def role_of(instrument: SourceInstrument) -> Role | None:
    """The part that an instrument can take in a production; None for loops, solos, noises and single drums."""
    if is_excerpted(instrument):
        is_long = instrument.longest_seconds >= ENROLLED_SECONDS + LEAST_VOICE_SECONDS
        return "voice" if instrument.family == VOCAL and is_long else None
    if is_drum_kit(instrument):
        return "drums"
    return "track" if is_playable(instrument) and instrument.family != DRUM else None


def split_in_productions(instrument: SourceInstrument, split: str, splits: tuple[str, ...]) -> str | None:
    """The split, of those rendered, that an instrument of `split` plays in; None where it plays in none.

    Recordings know a training and a test side only. A hash of the group sends some kits and voices of the training side to
    validation, so that it has drums too; a single encoder may have met them. The test side plays in the first test split.
    """
    role = role_of(instrument)
    if role is None:
        return None
    if split == TEST_REAL and split not in splits:
        return next((name for name in splits if name.startswith(TEST)), None)
    if split == TRAIN and role != "track" and getattr(instrument, "part", None) is not None:
        digest = hashlib.sha256(instrument.source.encode()).digest()
        return VALID if digest[0] % VALID_GROUPS == 0 else TRAIN
    return split
