"""Clips of recordings with notes are labelled by what sounds in them, and scored on both sides, on labelled entries alone."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from models.errors import TrainingError
from training.musicnet import NO_PITCH, PERCUSSION, ScoredNote, write_recording
from training.recognition.attention_scores import both_sides_f1, macro_f1
from training.recognition.weak_clips import CLIP_SAMPLES, scored_clips

RATE = 16_000
PIANO, VIOLIN = 1, 41


def write(folder: Path, split: str, key: str, seconds: float, notes: list[ScoredNote]) -> np.ndarray:
    wave = (np.random.default_rng(len(key)).standard_normal(round(seconds * RATE)) * 3_000).astype(np.int16)
    write_recording(folder, split, key, wave, RATE, notes)
    return wave


def test_a_clip_has_the_families_that_sound_in_it_for_half_a_second(tmp_path: Path) -> None:
    notes = [
        ScoredNote(0.0, 4.0, PIANO, 60),
        ScoredNote(0.0, 4.0, PIANO, 64),
        ScoredNote(4.9, 5.3, VIOLIN, 70),  # .4 s in the first clip, .3 s in the second
        ScoredNote(12.0, 12.3, PERCUSSION, NO_PITCH),
        ScoredNote(14.0, 14.2, PERCUSSION, NO_PITCH),
    ]
    wave = write(tmp_path, "train", "piece", 15.0, notes)
    write(tmp_path, "valid", "short", 2.0, [ScoredNote(0.0, 1.0, VIOLIN, 60)])
    clips = scored_clips(tmp_path, "train", ("keyboard", "string", "drum"))
    assert clips.ids == ("piece 0", "piece 5")
    assert clips.truth.tolist() == [[True, False, False], [False, False, True]]
    assert clips.is_labelled.all()
    assert np.allclose(clips.wave(1), wave[5 * RATE :] / 32_768, atol=1e-4)
    assert np.allclose(clips.wave(0), wave[: 10 * RATE] / 32_768, atol=1e-4)
    # The classes are by default the families that sound in training.
    assert scored_clips(tmp_path, "valid").classes == ("keyboard", "drum")
    assert scored_clips(tmp_path, "valid").wave(0).shape == (CLIP_SAMPLES,)  # shorter audio is repeated


def test_one_family_leaves_nothing_to_tell_apart(tmp_path: Path) -> None:
    write(tmp_path, "train", "piece", 1.0, [ScoredNote(0.0, 1.0, PIANO, 60)])
    write(tmp_path, "valid", "piece", 1.0, [])
    with pytest.raises(TrainingError, match="1 families sound"):
        scored_clips(tmp_path, "valid")
    (tmp_path / "train_data" / "piece.wav").write_bytes(b"no audio")
    with pytest.raises(TrainingError, match=r"piece\.wav cannot be read"):
        scored_clips(tmp_path, "train", ("keyboard",))


def test_scores_are_those_of_scikit_learn_on_labelled_entries() -> None:
    generator = np.random.default_rng(0)
    probability = generator.random((80, 5)).astype(np.float32)
    truth, labelled = generator.random((80, 5)) < 0.3, generator.random((80, 5)) < 0.5
    found = both_sides_f1(probability, truth, labelled)
    for place in range(5):
        rows = labelled[:, place]
        expected = f1_score(truth[rows, place], probability[rows, place] >= 0.5, average="macro")
        assert found[place] == pytest.approx(expected)
    assert macro_f1(probability, truth, labelled) == pytest.approx(found.mean())
    flipped = np.where(labelled, probability, 1 - probability)
    assert np.array_equal(both_sides_f1(flipped, truth, labelled), found)


def test_a_class_of_one_side_counts_for_nothing() -> None:
    probability = np.array([[0.9, 0.9], [0.1, 0.5]], np.float32)
    truth, labelled = np.array([[True, True], [False, True]]), np.ones((2, 2), bool)
    assert np.isnan(both_sides_f1(probability, truth, labelled)[1])
    assert macro_f1(probability, truth, labelled) == 1.0
    assert macro_f1(probability, truth, ~labelled) == 0.0
