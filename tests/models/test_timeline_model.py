"""The families of slots and of the frame-level network, put together frame by frame, and the file that says how."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import CheckpointError, EncoderMismatch
from models.recognition.frame_level_recogniser import FamilyTimeline
from models.recognition.timeline_model import TimelineModel, in_frames

FAMILIES = ("bass", "flute")
MODEL = TimelineModel(FAMILIES, slots=1.0, frames=0.5, bias=(0.0, -1.0), thresholds=(0.4, 0.6))
FILES = {"multi.safetensors": "sha256:1"}


def network(*probability: float) -> FamilyTimeline:
    """A second and a half from 10 s on, in three frames, of which the network tells `probability` for both families."""
    return FamilyTimeline(
        FAMILIES, (0.5, 0.5), np.repeat(np.array(probability, np.float32)[:, None], 2, axis=1), 10.0, 0.5
    )


def test_curves_are_read_in_the_middle_of_each_frame() -> None:
    curves = {"flute": ((10.25, 0.2), (11.25, 0.6))}
    read = in_frames(network(0.5, 0.5, 0.5), curves)
    assert read[:, 1] == pytest.approx([0.2, 0.4, 0.6])
    assert not read[:, 0].any()
    assert in_frames(network(), curves).shape == (0, 2)


def test_both_raise_what_is_told_and_thresholds_are_the_models() -> None:
    curves = {"bass": ((10.0, 0.3),), "flute": ((10.0, 0.3),)}
    fused = MODEL.fused(network(0.1, 0.5, 0.9), curves)
    assert fused.thresholds == MODEL.thresholds
    assert (np.diff(fused.probability, axis=0) > 0).all()
    assert fused.probability[1, 0] == pytest.approx(0.3)  # the network says nothing: its odds are even
    assert (fused.probability[:, 1] < fused.probability[:, 0]).all()  # the bias
    surer = MODEL.fused(network(0.1, 0.5, 0.9), {"bass": ((10.0, 0.6),)})
    assert (surer.probability[:, 0] > fused.probability[:, 0]).all()
    assert (surer.probability[:, 1] < 0.01).all()  # no slot hears it
    assert np.isfinite(MODEL.fused(network(0.0, 1.0, 0.0), {"bass": ((10.0, 1.0),)}).probability).all()


def test_a_network_of_other_families_is_refused() -> None:
    other = FamilyTimeline(("organ",), (0.5,), np.zeros((3, 1), np.float32))
    with pytest.raises(ValueError, match="organ"):
        MODEL.fused(other, {})


def test_a_model_is_written_and_read_for_its_own_files_only(tmp_path: Path) -> None:
    path = tmp_path / "timeline.json"
    with pytest.raises(CheckpointError, match=r"training\.timeline"):
        TimelineModel.load(path, FILES)
    MODEL.save(path, FILES)
    assert TimelineModel.load(path, FILES) == MODEL
    with pytest.raises(EncoderMismatch, match=r"training\.timeline"):
        TimelineModel.load(path, {"multi.safetensors": "sha256:2"})
    for damaged in ("{", "{}", path.read_text().replace("showme-timeline/1", "showme-timeline/9")):
        path.write_text(damaged)
        with pytest.raises(CheckpointError, match="not a readable timeline model"):
            TimelineModel.load(path, FILES)
