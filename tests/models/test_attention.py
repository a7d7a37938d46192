"""Attention recognition: front ends equal their definitions, networks have the published shapes, attention sums to one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import CheckpointHeader, load_attention, load_musicnn, load_vggish, save_checkpoint
from models.errors import CheckpointError
from models.recognition.attention import AttentionConfig, AttentionHead
from models.recognition.musicnn import NUM_BANDS, WINDOW_FRAMES, Musicnn, MusicnnLogMel
from models.recognition.vggish import (
    FFT_SAMPLES,
    HOP_SAMPLES,
    LOG_OFFSET,
    NUM_FEATURES,
    PATCH_SAMPLES,
    WINDOW_SAMPLES,
    Vggish,
    VggishConfig,
    VggishLogMel,
)

TWENTY = tuple(f"class {place}" for place in range(20))


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def parameters_of(network: torch.nn.Module) -> int:
    return sum(value.numel() for value in network.parameters())


def test_the_extractor_and_the_head_have_the_published_sizes() -> None:
    assert parameters_of(Vggish(VggishConfig())) == 72_141_184
    assert parameters_of(Vggish(VggishConfig(width=0.25))) == 4_609_216
    for normalisation in ("batch", "group"):
        config = AttentionConfig.from_dict({"classes": TWENTY, "normalisation": normalisation})
        assert parameters_of(AttentionHead(config)) == 55_336
    assert parameters_of(Musicnn()) == 787_159


def test_the_front_end_of_the_extractor_equals_its_definition() -> None:
    """The slow twin: one frame at a time, a discrete Fourier transform as a sum, mel triangles from their corners."""
    wave = noise(PATCH_SAMPLES)
    with torch.inference_mode():
        found = VggishLogMel()(torch.from_numpy(wave)[None])
    assert found.shape == (1, 1, 96, 64)
    first, last = (2595 * np.log10(1 + hertz / 700) for hertz in (125, 7_500))
    corner_mel = np.linspace(first, last, 66)
    corner_hz = 700 * (10 ** (corner_mel / 2595) - 1)
    bins = np.arange(FFT_SAMPLES // 2 + 1)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)
    fourier = np.exp(-2j * np.pi * np.outer(np.arange(WINDOW_SAMPLES), bins) / FFT_SAMPLES)
    for frame in (0, 40, 95):
        magnitude = np.abs((wave[frame * HOP_SAMPLES :][:WINDOW_SAMPLES] * window) @ fourier)
        for band in (0, 20, 63):
            triangle = np.interp(bins * 16_000 / FFT_SAMPLES, corner_hz[band : band + 3], [0, 1, 0])
            expected = np.log(magnitude @ triangle + LOG_OFFSET)
            assert float(found[0, 0, frame, band]) == pytest.approx(expected, abs=1e-4)


def test_the_front_end_of_musicnn_equals_its_definition() -> None:
    wave = noise(4_000)
    with torch.inference_mode():
        found = MusicnnLogMel()(torch.from_numpy(wave)[None])[0].numpy()
    assert found.shape == (4_000 // 256 + 1, NUM_BANDS)
    mel_of_8000 = 15 + 27 * np.log(8) / np.log(6.4)  # linear to 15 mel at 1 kHz, then by the logarithm
    corners = [
        mel * 200 / 3 if mel < 15 else 1_000 * 6.4 ** ((mel - 15) / 27)
        for mel in np.linspace(0, mel_of_8000, NUM_BANDS + 2)
    ]
    padded = np.concatenate([wave[256:0:-1], wave, wave[-2:-258:-1]])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    for frame in (0, 7, 15):
        power = np.abs(np.fft.rfft(padded[frame * 256 :][:512] * window)) ** 2
        for band in (0, 50, 95):
            low, middle, high = corners[band : band + 3]
            triangle = np.interp(np.arange(257) * 31.25, [low, middle, high], [0, 1, 0]) * 2 / (high - low)
            assert found[frame, band] == pytest.approx(np.log10(10_000 * power @ triangle + 1), abs=1e-4)


def test_features_are_one_vector_for_each_second_whatever_the_batch() -> None:
    network = Vggish(VggishConfig(width=0.05)).eval()
    waves = torch.from_numpy(np.stack([noise(160_000, seed) for seed in range(2)]))
    with torch.inference_mode():
        both, one = network(waves), network(waves[1:])
        silent = network(torch.zeros(1, PATCH_SAMPLES))
    assert both.shape == (2, 10, NUM_FEATURES)
    assert torch.allclose(both[1], one[0], atol=1e-5)
    assert silent.isfinite().all()
    with pytest.raises(ValueError, match="15599 samples; a patch has 15600"):
        network(torch.zeros(1, PATCH_SAMPLES - 1))
    with pytest.raises(ValueError, match="width is 2"):
        VggishConfig(width=2)


@pytest.mark.parametrize("normalisation", ["batch", "group"])
def test_attention_sums_to_one_and_the_probability_is_its_mean_of_the_activity(normalisation: str) -> None:
    config = AttentionConfig.from_dict({"classes": TWENTY, "inputs": 16, "normalisation": normalisation})
    head = AttentionHead(config).eval()
    features = torch.rand(3, 10, 16, generator=torch.Generator().manual_seed(0))
    head.scale_by(features.amin(dim=(0, 1)), features.amax(dim=(0, 1)))
    with torch.inference_mode():
        attention, activity = head.over_time(features)
        found = head(features)
    assert attention.shape == activity.shape == (3, 20, 10)
    assert torch.allclose(attention.sum(dim=2), torch.ones(3, 20))
    for clip in range(3):
        for place in range(20):
            terms = [float(a * c) for a, c in zip(attention[clip, place], activity[clip, place], strict=True)]
            assert float(found[clip, place]) == pytest.approx(sum(terms), abs=1e-6)
    assert ((found >= 0) & (found <= 1)).all()


def test_a_longer_clip_that_repeats_itself_has_the_same_probabilities() -> None:
    head = AttentionHead(AttentionConfig(("a", "b"), inputs=16)).eval()
    features = torch.rand(1, 5, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(head(features), head(features.repeat(1, 3, 1)), atol=1e-5)


def test_features_that_never_change_are_harmless() -> None:
    head = AttentionHead(AttentionConfig(("a", "b"), inputs=8)).eval()
    head.scale_by(torch.ones(8), torch.ones(8))
    assert head(torch.ones(1, 4, 8)).isfinite().all()


def test_musicnn_hears_windows_of_three_seconds() -> None:
    network = Musicnn().eval()
    with torch.inference_mode():
        image = network.log_mel(torch.from_numpy(noise(48_000))[None])[:, :WINDOW_FRAMES]
        assert network.features_of(image).shape == (1, 200)
        assert network(image).shape == (1, 50)


def test_networks_are_stored_with_their_kind(tmp_path: Path) -> None:
    config = VggishConfig(width=0.05, objective="alignment")
    paths = {kind: tmp_path / f"{kind}.safetensors" for kind in ("vggish", "attention", "musicnn")}
    save_checkpoint(Vggish(config), CheckpointHeader("vggish", config.to_dict()), paths["vggish"])
    head = AttentionConfig(("a", "b"), features="random")
    save_checkpoint(AttentionHead(head), CheckpointHeader("attention", head.to_dict()), paths["attention"])
    save_checkpoint(Musicnn(), CheckpointHeader("musicnn", {}), paths["musicnn"])
    assert load_vggish(paths["vggish"])[0].config == config
    assert load_attention(paths["attention"])[0].config == head
    load_musicnn(paths["musicnn"])
    for load in (load_vggish, load_musicnn):
        with pytest.raises(CheckpointError, match="holds an attention head"):
            load(paths["attention"])
    with pytest.raises(CheckpointError, match="not an attention head"):
        load_attention(paths["vggish"])


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"dropout": 1.0}, "dropout is 1"),
        ({"inputs": 100}, "a multiple of 8"),
        ({"normalisation": "layer"}, "known are batch and group"),
    ],
)
def test_configs_of_a_head_that_make_no_sense_are_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        AttentionConfig(**values)  # type: ignore[arg-type]


def test_classes_are_different_ones() -> None:
    with pytest.raises(ValueError, match="different ones are wanted"):
        AttentionHead(AttentionConfig(("bass", "bass")))
