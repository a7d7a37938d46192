"""The sampled-note player: right pitch, right length, right level, no alias, and a clear word about broken audio."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from index.sources.base import Note
from models.errors import TrainingError
from tests.training.tiny_notes import SAMPLE_RATE, append_row, slots, tone, write_instrument
from training.note_bank import NoteBank, SampledInstrument


@pytest.fixture
def bank(tmp_path: Path) -> NoteBank:
    write_instrument(tmp_path, "pad_1", "zyn", slots(), bank="Strings", name="Slow Strings")
    write_instrument(
        tmp_path, "low_1", "soundfont", slots(silent=(3, 4, 5, 6, 7)), gm_program=33, family="bass"
    )
    write_instrument(tmp_path, "none_1", "zyn", slots(silent=range(8)))
    return NoteBank(tmp_path)


def loudest_hz(samples: np.ndarray, sample_rate: int = SAMPLE_RATE) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    return float(spectrum.argmax() * sample_rate / (8 * len(samples)))


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def play(instrument: SampledInstrument, *notes: Note, seconds: float = 5.0) -> np.ndarray:
    return instrument.play(notes, seconds, SAMPLE_RATE)


@pytest.mark.parametrize("pitch", [33, 40, 57, 60, 69, 74, 81])
def test_notes_sound_at_their_pitch(bank: NoteBank, pitch: int) -> None:
    samples = play(bank.load("pad_1"), Note(pitch, 100, 0.0, 2.0))
    cents = 1200 * np.log2(loudest_hz(samples[:24_000]) / (440 * 2 ** ((pitch - 69) / 12)))
    assert abs(cents) < 8


@pytest.mark.parametrize("sample_rate", [8_000, 22_050])
def test_another_sample_rate_keeps_the_pitch(bank: NoteBank, sample_rate: int) -> None:
    samples = bank.load("pad_1").play((Note(69, 100, 0.0, 2.0),), 2.0, sample_rate)
    assert samples.shape == (2 * sample_rate,)
    assert loudest_hz(samples, sample_rate) == pytest.approx(440, rel=0.005)


def test_resampling_upward_does_not_alias(tmp_path: Path) -> None:
    bright = [np.zeros_like(slot) for slot in slots()]
    time = np.arange(len(bright[6])) / SAMPLE_RATE
    bright[6][:] = 0.5 * np.sin(2 * np.pi * 7_400 * time)
    write_instrument(tmp_path, "bright", "zyn", bright)
    instrument = NoteBank(tmp_path).load("bright")
    assert rms(play(instrument, Note(81, 100, 0.0, 2.0))) < 0.02 * rms(
        play(instrument, Note(78, 100, 0.0, 2.0))
    )


def test_a_short_note_is_released(bank: NoteBank) -> None:
    samples = play(bank.load("pad_1"), Note(57, 100, 1.0, 1.5))
    assert not samples[: SAMPLE_RATE - 1].any()
    assert rms(samples[SAMPLE_RATE : 3 * SAMPLE_RATE // 2]) > 0.05
    assert not samples[round(1.71 * SAMPLE_RATE) :].any()
    assert np.abs(np.diff(samples)).max() < 0.2


def test_notes_add_up_and_play_twice_alike(bank: NoteBank) -> None:
    instrument = bank.load("pad_1")
    low, high = Note(50, 100, 0.0, 1.0), Note(64, 80, 0.5, 4.9)
    together = play(instrument, low, high)
    np.testing.assert_allclose(together, play(instrument, low) + play(instrument, high), atol=1e-6)
    np.testing.assert_array_equal(together, play(bank.load("pad_1"), low, high))


def test_level_follows_velocity_across_the_soft_slot(bank: NoteBank) -> None:
    instrument = bank.load("pad_1")
    levels = [rms(play(instrument, Note(57, velocity, 0.0, 2.0))) for velocity in (20, 50, 70, 100, 127)]
    assert levels == sorted(levels)


def test_a_note_at_or_past_the_end_is_harmless(bank: NoteBank) -> None:
    samples = play(
        bank.load("pad_1"), Note(57, 100, 4.999, 5.0), Note(57, 100, 5.0, 6.0), Note(57, 100, 9.0, 9.5)
    )
    assert samples.shape == (5 * SAMPLE_RATE,)
    assert np.isfinite(samples).all()


def test_the_range_is_that_of_the_sounding_slots(bank: NoteBank) -> None:
    whole, low = bank.load("pad_1"), bank.load("low_1")
    assert (whole.low, whole.high) == (33, 81)
    assert (low.low, low.high) == (33, 53)


def test_families_come_from_the_label_or_the_patch_name(bank: NoteBank) -> None:
    assert bank.load("low_1").family == "bass"
    assert bank.load("pad_1").family == "string"
    assert bank.entries["none_1"].family is None


def test_recorded_notes_use_the_measured_pitch(tmp_path: Path) -> None:
    for label, measured in ((60, 60.9), (66, 67.0)):
        path = tmp_path / f"recorded/horn/{label}.ogg"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(measured), SAMPLE_RATE, format="OGG", subtype="VORBIS")
        row = {"id": "horn", "file": f"recorded/horn/{label}.ogg", "source": "test", "dynamic": "forte"}
        append_row(tmp_path, row | {"midi_labelled": label, "midi_measured": measured})
    horn = NoteBank(tmp_path).load("horn")
    assert (horn.low, horn.high) == (58, 70)
    hz = loudest_hz(play(horn, Note(60, 100, 0.0, 2.0))[:24_000])
    assert abs(1200 * np.log2(hz / 261.6256)) < 8


def test_silent_damaged_and_unknown_instruments_are_refused(bank: NoteBank) -> None:
    (bank.folder / "soundfont/low_1.ogg").write_bytes(b"OggS nothing of the kind")
    for key in ("none_1", "low_1", "unknown"):
        with pytest.raises(TrainingError, match=key):
            bank.load(key)


def test_a_folder_without_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"index\.jsonl"):
        NoteBank(tmp_path)
