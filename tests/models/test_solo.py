"""Solo recognition: the published shapes, windows of any length, the gate against silence, and files that are refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import CheckpointHeader, load_single, load_solo, save_checkpoint
from models.encoders import SingleInstrumentEncoder
from models.errors import CheckpointError, SilentAudio
from models.recognition.solo import FRONT_END, SOLO_FILE, SoloConfig, SoloNetwork
from models.recognition.solo_recogniser import SoloRecogniser, sounding_windows
from tests.app.commands import CONFIG

FAMILIES = ("bass", "brass", "drum")
TINY = SoloConfig(families=FAMILIES, width=2, hidden=8)
SIZE = FRONT_END.clip_samples
CPU = torch.device("cpu")


def noise(samples: int, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


@pytest.fixture(scope="module")
def recogniser() -> SoloRecogniser:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SoloRecogniser(SoloNetwork(TINY), CPU)


def test_the_network_has_the_published_shape() -> None:
    """The thesis's 4.84 M parameters, with its twelve classes and its image of 128 x 130."""
    network = SoloNetwork(SoloConfig(families=tuple(f"class {number}" for number in range(12))))
    assert sum(value.numel() for value in network.parameters()) == 4_843_340
    assert (FRONT_END.n_mels, FRONT_END.num_frames, FRONT_END.clip_seconds) == (128, 130, 3.0)
    assert network.layers[-4].in_features == 4_608
    assert [type(layer).__name__ for layer in list(network.layers)[:8]] == [
        *("Conv2d", "MaxPool2d", "ReLU"),
        *("Conv2d", "MaxPool2d", "ReLU", "Dropout"),
        "Conv2d",
    ]
    assert network.eval()(torch.zeros(1, SIZE)).isfinite().all()


def test_pooling_before_the_relu_changes_nothing() -> None:
    image = torch.randn(2, 3, 7, 9, generator=torch.Generator().manual_seed(0))
    pool = torch.nn.MaxPool2d(2, ceil_mode=True)
    assert torch.equal(pool(image).relu(), pool(image.relu()))


@pytest.mark.parametrize("samples", [800, SIZE - 1, SIZE, SIZE + 1, 5 * SIZE // 2])
def test_recordings_of_any_length_have_probabilities(recogniser: SoloRecogniser, samples: int) -> None:
    found = recogniser.recognise([noise(samples)])
    assert set(found) == set(FAMILIES)
    assert sum(found.values()) == pytest.approx(1)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_recordings_are_the_mean_over_their_windows(recogniser: SoloRecogniser) -> None:
    """A batch of one equals a batch of many, whatever the windows are cut from."""
    waves = [noise(SIZE, seed=seed) for seed in range(3)]
    alone = np.mean([recogniser.probability(wave[None])[0] for wave in waves], axis=0)
    for recordings in (waves, [np.concatenate(waves)]):
        found = recogniser.recognise(recordings)
        assert [found[family] for family in FAMILIES] == pytest.approx(alone.tolist(), abs=1e-5)


def test_gain_does_not_matter(recogniser: SoloRecogniser) -> None:
    wave = noise(2 * SIZE)
    quiet, loud = (recogniser.recognise([wave * np.float32(gain)]) for gain in (0.01, 1.0))
    assert quiet == pytest.approx(loud, abs=1e-3)


def test_silent_windows_do_not_count(recogniser: SoloRecogniser) -> None:
    wave, silence = noise(SIZE), np.zeros(SIZE, np.float32)
    hiss = noise(SIZE, level=0.1 * 10 ** (-41 / 20), seed=1)  # 41 dB below the loudest
    sounding = recogniser.recognise([wave])
    assert recogniser.recognise([np.concatenate([silence, wave, hiss])]) == pytest.approx(sounding, abs=1e-5)
    assert len(sounding_windows([np.concatenate([wave, 3 * hiss])], TINY)) == 2
    for recordings in ([silence], [silence[:0]], []):
        with pytest.raises(SilentAudio, match="-70 dBFS"):
            recogniser.recognise(recordings)


def test_a_checkpoint_gives_the_same_probabilities(tmp_path: Path, recogniser: SoloRecogniser) -> None:
    network = SoloNetwork(TINY)
    header = CheckpointHeader("solo", TINY.to_dict(), metrics={"real.top1": 0.5})
    save_checkpoint(network, header, tmp_path / SOLO_FILE, dtype=torch.float16)
    loaded, read = load_solo(tmp_path / SOLO_FILE)
    assert (loaded.config, read.metrics) == (TINY, {"real.top1": 0.5})
    wave = noise(SIZE)
    first, second = (SoloRecogniser(one, CPU).recognise([wave]) for one in (network, loaded))
    assert first == pytest.approx(second, abs=2e-3)


def test_wrong_files_are_refused_in_words(tmp_path: Path) -> None:
    save_checkpoint(SoloNetwork(TINY), CheckpointHeader("solo", TINY.to_dict()), tmp_path / "solo")
    save_checkpoint(
        SingleInstrumentEncoder(CONFIG), CheckpointHeader("single", CONFIG.to_dict()), tmp_path / "one"
    )
    with pytest.raises(CheckpointError, match="holds a single encoder, not a solo network"):
        SoloRecogniser.load(tmp_path / "one", "cpu")
    with pytest.raises(CheckpointError, match="holds a solo network, not a single encoder"):
        load_single(tmp_path / "solo")
    save_checkpoint(SoloNetwork(TINY), CheckpointHeader("solo", {"families": ["bass"]}), tmp_path / "few")
    with pytest.raises(CheckpointError, match="at least two"):
        load_solo(tmp_path / "few")
    (tmp_path / "junk").write_bytes(b"junk")
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_solo(tmp_path / "junk")
