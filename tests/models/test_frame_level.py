"""Frame-level recognition: transform and pitches equal the published ones, the network has the published shape."""

import numpy as np
import pytest
import torch

from models.checkpoint import load_frame_level, load_pitch, load_single
from models.errors import CheckpointError
from models.recognition.constant_q import (
    HOP_SAMPLES,
    NUM_BINS,
    SAMPLE_RATE,
    ConstantQ,
    bin_frequencies,
    filter_lengths,
)
from models.recognition.frame_level import FrameLevelConfig, FrameLevelNetwork, scaled_levels
from models.recognition.harmonic_series import MAX_ORDER, SHIFTS, harmonic_series
from models.recognition.pitch_estimator import KEPT_FRAMES, PITCH_WEIGHTS, PitchEstimator
from tests.models.make_frame_reference import KEPT, PITCH_SAMPLES, REFERENCE, phrase

SEVEN = ("piano", "violin", "viola", "cello", "clarinet", "bassoon", "horn")  # of MusicNet


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(REFERENCE) as file:
        return dict(file)


def magnitude_of(samples: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        found: np.ndarray = ConstantQ()(torch.from_numpy(samples)[None])[0].numpy()
    return found


def test_the_transform_equals_librosas(reference: dict[str, np.ndarray]) -> None:
    """Within 2.5 % of the loudest value everywhere, and 0.25 % on average; librosa itself rounds the lengths of its filters."""
    expected = reference["magnitude"]
    difference = np.abs(magnitude_of(phrase(SAMPLE_RATE))[:, KEPT] - expected) / expected.max()
    assert difference.max() < 0.025
    assert difference.mean() < 0.0025


@pytest.mark.parametrize("place", [3, 28, 60, 87])
def test_a_bin_equals_its_definition(place: int) -> None:
    """The slow twin: one whole filter at the full rate, without octaves."""
    samples, length = phrase(SAMPLE_RATE).astype(np.float64), filter_lengths(SAMPLE_RATE)[place]
    time = np.arange(-int(length) // 2, int(length) // 2 + 1)
    window = np.where(abs(time) <= length / 2, 0.5 + 0.5 * np.cos(2 * np.pi * time / length), 0)
    wavelet = window * np.exp(-2j * np.pi * bin_frequencies()[place] / SAMPLE_RATE * time)
    wavelet *= np.sqrt(2 * length) / np.abs(wavelet).sum()
    padded = np.pad(samples, len(time))
    frames = range(0, -(-len(samples) // HOP_SAMPLES), 16)
    starts = [frame * HOP_SAMPLES + len(time) + time[0] for frame in frames]
    expected = np.array([abs(padded[start : start + len(time)] @ wavelet) for start in starts])
    found = magnitude_of(phrase(SAMPLE_RATE))
    assert np.abs(found[place, ::16] - expected).max() < 0.015 * found.max()


def test_a_tone_is_loudest_in_its_own_bin_whatever_the_batch() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    places = [0, 15, 40, 87]
    tones = np.sin(2 * np.pi * bin_frequencies()[places, None] * time).astype(np.float32)
    with torch.inference_mode():
        found = ConstantQ()(torch.from_numpy(tones)).numpy()
    assert found.shape == (4, NUM_BINS, -(-SAMPLE_RATE // HOP_SAMPLES))
    assert found[:, :, 43].argmax(axis=1).tolist() == places
    assert np.allclose(found[2], magnitude_of(tones[2]), atol=1e-5)


@pytest.mark.parametrize("samples", [1, HOP_SAMPLES, HOP_SAMPLES + 1, 10_000])
def test_silence_and_short_audio_are_finite(samples: int) -> None:
    level = scaled_levels(torch.from_numpy(magnitude_of(np.zeros(samples, np.float32))))
    assert level.shape == (NUM_BINS, -(-samples // HOP_SAMPLES))
    assert (level == 0).all()


def test_levels_lie_in_80_db_below_the_loudest() -> None:
    level = scaled_levels(torch.tensor([[1.0, 0.1], [1e-4, 1e-9]]))
    assert torch.allclose(level, torch.tensor([[1.0, 0.75], [0.0, 0.0]]), atol=1e-6)


def test_pitches_are_those_that_are_published(reference: dict[str, np.ndarray]) -> None:
    """The network of basic-pitch, converted, gives the probabilities of its own run: within 1e-4."""
    with torch.inference_mode():
        found = load_pitch(PITCH_WEIGHTS)(torch.from_numpy(phrase(SAMPLE_RATE)[:PITCH_SAMPLES])[None])
    for name, probability in zip(("note", "onset"), found, strict=True):
        assert reference[name].max() > 0.5
        assert np.abs(probability[0, KEPT].numpy() - reference[name]).max() < 1e-4


@pytest.mark.parametrize("samples", [1, 5_000, KEPT_FRAMES * HOP_SAMPLES + 1])
def test_pitches_have_the_grid_of_the_transform(samples: int) -> None:
    estimator = PitchEstimator.load(device="cpu")
    wave = phrase(SAMPLE_RATE)[:samples]
    activity = estimator.activity(wave)
    assert activity.note.shape == activity.onset.shape == (NUM_BINS, -(-samples // HOP_SAMPLES))
    assert np.allclose(estimator.notes(wave), activity.note, atol=0.02)  # bfloat16 on some machines


def test_a_held_note_is_heard_at_its_pitch() -> None:
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    partials = np.arange(1, 6)[:, None]
    wave = (0.3 / partials * np.sin(2 * np.pi * 220 * partials * time)).sum(axis=0)
    note = PitchEstimator.load(device="cpu").notes(wave.astype(np.float32))
    assert note.mean(axis=1).argmax() == 57 - 21  # A3


def test_the_harmonic_series_is_the_sum_of_shifted_maps() -> None:
    pitch = torch.rand(2, NUM_BINS, 5, generator=torch.Generator().manual_seed(0))
    for order in range(MAX_ORDER + 1):
        expected = torch.zeros_like(pitch)
        for shift in SHIFTS[: order + 1]:
            for place in range(NUM_BINS - shift):
                expected[:, place + shift] += pitch[:, place]
        assert torch.allclose(harmonic_series(pitch, order), expected)
    assert torch.equal(harmonic_series(pitch, 0), pitch)
    with pytest.raises(ValueError, match="order is 6"):
        harmonic_series(pitch, 6)
    assert [round(12 * np.log2(harmonic)) for harmonic in range(1, 7)] == list(SHIFTS)


@pytest.mark.parametrize(
    ("architecture", "pitch", "source", "parameters"),
    [
        ("residual", "none", "none", 1_073_255),
        ("residual", "channel", "true", 1_096_487),
        ("residual", "bins", "estimated", 1_096_663),
        ("baseline", "none", "none", 312_263),
    ],
)
def test_networks_have_the_published_shape(
    architecture: str, pitch: str, source: str, parameters: int
) -> None:
    config = FrameLevelConfig.from_dict(
        {"families": SEVEN, "architecture": architecture, "pitch": pitch, "source": source}
    )
    network = FrameLevelNetwork(config).eval()
    assert sum(value.numel() for value in network.parameters()) == parameters
    level = torch.rand(2, NUM_BINS, 258)
    maps = None if pitch == "none" else torch.rand(2, NUM_BINS, 258)
    assert network(level, maps).shape == (2, 7, 28)
    assert network(level[:, :, :9], None if maps is None else maps[:, :, :9]).shape == (2, 7, 1)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"order": 6}, "order is 6"),
        ({"pitch": "none"}, "must both be none"),
        ({"architecture": "baseline"}, "hears no pitch"),
        ({"families": SEVEN, "thresholds": (0.5,)}, "1 thresholds for 7"),
    ],
)
def test_configs_that_make_no_sense_are_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        FrameLevelConfig(**values)  # type: ignore[arg-type]


def test_files_of_another_kind_are_refused() -> None:
    with pytest.raises(CheckpointError, match="a pitch network, not a frame-level network"):
        load_frame_level(PITCH_WEIGHTS)
    with pytest.raises(CheckpointError, match="a pitch network, not a single encoder"):
        load_single(PITCH_WEIGHTS)
    with pytest.raises(ValueError, match="different ones are wanted"):
        FrameLevelNetwork(FrameLevelConfig(families=("bass", "bass")))
