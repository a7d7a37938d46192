"""Players: onsets and velocities vary a little, notes keep their pitch, bends stay in their cents, voices leave room."""

import numpy as np
import pytest

from index.sources.base import Note
from index.sources.sampled import InstrumentIdentity
from models.errors import SourceError
from training.productions.arrangement import VoicePart
from training.productions.performance import (
    BENT_FAMILIES,
    SCOOP_CENTS,
    VIBRATO_CENTS,
    bent,
    humanised,
    perform,
)
from training.productions.roles import ENROLLED_SECONDS, role_of
from training.real.recordings import RecordedSound
from training.real.rows import RecordingRow

RATE = 16_000
TYPED = tuple(Note(60 + i % 5, 90, 0.5 * (i // 3), 0.5 * (i // 3) + 0.4) for i in range(60))


@pytest.mark.parametrize("family", ["drum", "guitar", "keyboard", "flute"])
def test_notes_move_by_milliseconds_and_keep_their_pitch(family: str) -> None:
    for seed in range(10):
        played = humanised(TYPED, np.random.default_rng(seed), family, 10.0)
        late = np.array([b.start_seconds - a.start_seconds for a, b in zip(TYPED, played, strict=True)])
        assert [note.pitch for note in played] == [note.pitch for note in TYPED]
        assert 0.001 < late.std() < 0.05
        assert np.abs(late).max() < 0.15
        assert len({note.velocity for note in played}) > 3
        assert all(0 <= note.start_seconds < note.end_seconds <= 10.0 for note in played)
        assert all(1 <= note.velocity <= 127 for note in played)


def test_drums_are_tighter_than_other_parts() -> None:
    def spread(family: str) -> float:
        apart = []
        for seed in range(20):
            played = humanised(TYPED, np.random.default_rng(seed), family, 10.0)
            late = [b.start_seconds - a.start_seconds for a, b in zip(TYPED, played, strict=True)]
            apart.append(np.std(late))
        return float(np.mean(apart))

    assert spread("drum") < 0.8 * spread("keyboard")


def test_a_strummed_chord_sounds_from_the_lowest_string_up() -> None:
    chord = tuple(Note(pitch, 90, 1.0, 2.0) for pitch in (64, 40, 52, 59, 47, 56))
    rolls = []
    for seed in range(30):
        played = humanised(chord, np.random.default_rng(seed), "guitar", 5.0)
        starts = {note.pitch: note.start_seconds for note in played}
        rolls.append(starts[64] - starts[40])
    assert np.mean(rolls) > 0.03
    assert np.mean(np.array(rolls) > 0) > 0.95


def test_some_players_slur_and_some_detach() -> None:
    lengths = []
    for seed in range(40):
        played = humanised(TYPED, np.random.default_rng(seed), "flute", 10.0)
        lengths.append(np.median([note.end_seconds - note.start_seconds for note in played]))
    assert min(lengths) < 0.36
    assert max(lengths) > 0.5  # over the next onset
    drums = [humanised(TYPED, np.random.default_rng(seed), "drum", 10.0) for seed in range(10)]
    assert all(abs(np.median([n.end_seconds - n.start_seconds for n in p]) - 0.4) < 1e-6 for p in drums)


def cents_around(samples: np.ndarray, hertz: float) -> np.ndarray:
    """Return how many cents a tone of `hertz` is off, over time, without the edges."""
    spectrum = np.fft.fft(samples)
    spectrum[len(samples) // 2 :] = 0
    phase = np.unwrap(np.angle(np.fft.ifft(spectrum)))
    found = np.diff(phase) * RATE / (2 * np.pi)
    smooth = np.convolve(found, np.ones(320) / 320, "valid")
    return 1200 * np.log2(smooth[RATE // 5 : -RATE // 5] / hertz)


def test_bends_stay_within_their_cents_and_end_in_tune() -> None:
    tone = (0.5 * np.sin(2 * np.pi * 400 * np.arange(4 * RATE) / RATE)).astype(np.float32)
    notes = (Note(67, 90, 1.0, 4.0),)
    bends = []
    for seed in range(30):
        out = bent(tone, notes, np.random.default_rng(seed), RATE)
        assert out.shape == tone.shape
        cents = cents_around(out, 400)
        bends.append((float(cents.min()), float(cents.max())))
        assert max(cents) < VIBRATO_CENTS[1] + SCOOP_CENTS[1]  # the reading moves ahead before a scoop
        assert min(cents) > -SCOOP_CENTS[1] - VIBRATO_CENTS[1]
        assert abs(np.mean(cents)) < 5
    still = [low > -0.5 and high < 0.5 for low, high in bends]
    assert 0.1 < np.mean(still) < 0.7  # some players bend nothing
    assert "drum" not in BENT_FAMILIES


def singer(samples: np.ndarray) -> RecordedSound:
    identity = InstrumentIdentity("singer", "singer", "vocal", "singers", "CC0", "test-real")
    row = RecordingRow(
        "voice/a.wav", "voice", "singer", "vocal", "singers", "test", len(samples) / RATE, "CC0"
    )
    return RecordedSound(identity, [row], lambda _: (samples.astype(np.float32), RATE))


def test_what_enrollment_hears_of_a_voice_is_not_in_a_production() -> None:
    """The clip that enrollment takes is at 300 Hz, the rest of the recording at 700 Hz."""
    time = np.arange(12 * RATE) / RATE
    voice = singer(np.sin(2 * np.pi * np.where(time < ENROLLED_SECONDS, 300, 700) * time))
    assert role_of(voice) == "voice"
    (enrolled,) = voice.clips(RATE, 5 * RATE)
    for seed in range(5):
        performance = perform(VoicePart(1, voice), np.random.default_rng(seed), 15.0, RATE)
        sung = None if performance is None else performance.samples
        assert sung is not None
        assert sung.shape == (15 * RATE,)
        spectrum, before = (
            np.abs(np.fft.rfft(samples[: 15 * RATE], 15 * RATE)) for samples in (sung, enrolled)
        )
        assert (
            spectrum[300 * 15 - 75 : 300 * 15 + 75].max()
            < 0.02 * spectrum[700 * 15 - 75 : 700 * 15 + 75].max()
        )
        assert before[300 * 15] > before[700 * 15]


def test_a_voice_that_is_too_short_or_damaged_is_left_out() -> None:
    assert role_of(singer(np.ones(6 * RATE))) is None
    short = VoicePart(1, singer(np.ones(4 * RATE)))
    assert perform(short, np.random.default_rng(0), 15.0, RATE) is None
    with pytest.raises(SourceError, match="longer than 5 s"):
        short.instrument.excerpt(np.random.default_rng(0), 3.0, RATE, after_seconds=5.0)
