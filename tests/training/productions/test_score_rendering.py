"""Pieces with known notes: in MusicNet's form, the same whenever they are rendered, labelled by what was played."""

from pathlib import Path

import numpy as np
import pytest

from index.sources.base import Note
from models.recognition.constant_q import FRAME_SECONDS, LOWEST_PITCH
from models.recognition.frame_level_recogniser import resampled
from models.recognition.pitch_estimator import PitchEstimator
from tests.training.productions.conftest import Inputs
from training.musicnet import NO_PITCH, PERCUSSION, ScoredNote, recordings_of
from training.nlakh.command import main
from training.productions.arrangement import Part
from training.productions.performance import Performance
from training.recognition.frame_features import frame_maps
from training.recognition.score_rendering import kind_of, labelled
from training.sections import SectionTrack

RATE = 16_000


def command(inputs: Inputs, out: Path, *counts: str) -> list[str]:
    words = ["scores", "--notes", str(inputs.notes), "--notes", str(inputs.real), "--midi", str(inputs.midi)]
    pieces = [word for count in counts for word in ("--pieces", count)]
    return [*words, "--splits", str(inputs.manifest), "--workers", "1", "--out", str(out), *pieces]


@pytest.fixture(scope="module")
def pieces(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pieces")
    assert main(command(inputs, out, "train=2", "test-same=2")) == 0
    return out


def test_productions_and_chamber_music_alternate(pieces: Path) -> None:
    for split in ("train", "test"):
        first, second = recordings_of(pieces, split)
        assert (kind_of(first.id), kind_of(second.id)) == ("chamber", "production")
        assert first.samples(RATE).shape == (15 * RATE,)
        chamber, production = ({note.instrument for note in one.notes()} for one in (first, second))
        assert 1 <= len(chamber) <= 4
        assert PERCUSSION not in chamber
        assert PERCUSSION in production
        assert all(0 <= note.start_seconds < note.end_seconds <= 15.01 for note in first.notes())
        assert all(
            (note.pitch == NO_PITCH) == (note.instrument == PERCUSSION)
            for note in second.notes()
            if note.instrument != 53
        )


def test_a_second_run_renders_what_is_missing_and_the_same(inputs: Inputs, pieces: Path) -> None:
    (one, _) = recordings_of(pieces, "train")
    audio, labels = one.audio.read_bytes(), one.labels.read_bytes()
    one.labels.unlink()
    one.audio.write_bytes(b"cut off")
    assert main(command(inputs, pieces, "train=2", "test-same=2")) == 0
    assert (one.audio.read_bytes(), one.labels.read_bytes()) == (audio, labels)


def test_the_notes_are_those_that_sound(pieces: Path) -> None:
    """Where the pitch network hears nearly nothing, the labels are mostly silent, too, and the other way round."""
    (one, _) = recordings_of(pieces, "test")
    heard = PitchEstimator.load(device="cpu").notes(resampled(one.samples(RATE), RATE)).T
    pitch, _ = frame_maps(one.notes(), len(heard), {}, 1)
    sounding = heard[pitch > 0].mean()
    silent = heard[pitch == 0].mean()
    assert sounding > 5 * silent


def test_notes_are_cut_where_their_part_is_silent() -> None:
    wave = np.zeros(4 * RATE, np.float32)
    wave[: 2 * RATE] = np.sin(np.arange(2 * RATE) / 10)
    notes = (Note(60, 90, 0.5, 3.0), Note(64, 90, 2.5, 3.5))

    class Flute:
        family = "flute"

    part = Part(1, Flute(), SectionTrack("flute", False, notes))  # type: ignore[arg-type]
    (found,) = labelled(part, Performance(wave, notes), RATE)
    assert found == ScoredNote(0.5, 2.0, 73, 60)
    drums = Part(1, Flute(), SectionTrack("drum", True, notes))  # type: ignore[arg-type]
    (found,) = labelled(drums, Performance(wave, notes), RATE)
    assert (found.start_seconds, found.end_seconds, found.pitch) == (0.0, 2.0, NO_PITCH)
    assert frame_maps([found], 10, {}, 1)[0][:, 60 - LOWEST_PITCH].any() == np.False_
    assert FRAME_SECONDS < 0.012
