"""Checkpoints rebuild their network; damaged files and pairs that do not belong together are refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import CheckpointHeader, file_hash, load_checkpoint, load_single, save_checkpoint
from models.encoder_pair import MATCH_FILE, MULTI_FILE, SINGLE_FILE, EncoderPair
from models.encoders import EncoderConfig, MultiInstrumentEncoder, SingleInstrumentEncoder
from models.errors import CheckpointError, EncoderMismatch
from tests.encoders import match_by_similarity

CONFIG = EncoderConfig(
    "compact", {"widths": [4, 8, 8]}, 16, 3, "attention", {"width": 16, "depth": 1, "num_heads": 2}
)


def write_pair(folder: Path, target: str | None = None, dtype: torch.dtype = torch.float32) -> None:
    single, multi = SingleInstrumentEncoder(CONFIG), MultiInstrumentEncoder(CONFIG)
    header = CheckpointHeader("single", CONFIG.to_dict())
    single_hash = save_checkpoint(single, header, folder / SINGLE_FILE, dtype=dtype)
    header = CheckpointHeader("multi", CONFIG.to_dict(), target or single_hash, presence_threshold=0.4)
    save_checkpoint(multi, header, folder / MULTI_FILE, dtype=dtype)


def test_a_checkpoint_rebuilds_its_network(tmp_path: Path) -> None:
    encoder = SingleInstrumentEncoder(CONFIG).eval()
    header = CheckpointHeader("single", CONFIG.to_dict(), metrics={"eer": 0.03}, training={"seed": 1})
    save_checkpoint(encoder, header, tmp_path / "single.safetensors")
    again, read = load_checkpoint(tmp_path / "single.safetensors")
    wave = torch.randn(2, 80_000)
    with torch.inference_mode():
        assert torch.equal(encoder(wave), again(wave))
    assert read == header
    assert again.config == CONFIG
    assert (tmp_path / "single.safetensors").stat().st_mode & 0o444 == 0o444  # a service runs as another user


def test_half_precision_changes_embeddings_hardly(tmp_path: Path) -> None:
    encoder = SingleInstrumentEncoder(CONFIG).eval()
    save_checkpoint(
        encoder, CheckpointHeader("single", CONFIG.to_dict()), tmp_path / "half", dtype=torch.float16
    )
    again, _ = load_single(tmp_path / "half")
    with torch.inference_mode():
        wave = torch.randn(4, 80_000)
        assert (encoder(wave) * again(wave)).sum(dim=1).min() > 0.999


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "missing"])
def test_damaged_files_are_refused_in_words(tmp_path: Path, damage: str) -> None:
    write_pair(tmp_path)
    path = tmp_path / SINGLE_FILE
    data = path.read_bytes()
    path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "text": b"hello " * 99}.get(damage, data))
    if damage == "missing":
        path.unlink()
    with pytest.raises(CheckpointError, match=SINGLE_FILE):
        load_checkpoint(path)


def test_foreign_headers_are_refused(tmp_path: Path) -> None:
    encoder = SingleInstrumentEncoder(CONFIG)
    other = CheckpointHeader("single", CONFIG.to_dict(), format="other/9")
    save_checkpoint(encoder, other, tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="other/9"):
        load_checkpoint(tmp_path / "foreign")
    wrong_size = CheckpointHeader("single", {**CONFIG.to_dict(), "embedding_dim": 8})
    save_checkpoint(encoder, wrong_size, tmp_path / "size")
    with pytest.raises(CheckpointError, match="does not fit"):
        load_checkpoint(tmp_path / "size")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pair(tmp_path)
    before = (tmp_path / SINGLE_FILE).read_bytes()

    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("models.checkpoint.save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_pair(tmp_path)
    assert (tmp_path / SINGLE_FILE).read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_pair_loads_and_answers(tmp_path: Path) -> None:
    write_pair(tmp_path, dtype=torch.float16)
    pair = EncoderPair.load(tmp_path, "cpu")
    clips = np.random.default_rng(0).normal(size=(33, pair.clip_samples)).astype(np.float32)
    embedding, presence = pair.encode(clips)
    assert embedding.shape == (33, 3, 16)
    assert presence.shape == (33, 3)
    assert pair.presence_threshold == 0.4
    assert np.allclose(np.linalg.norm(pair.embed(clips[:2]), axis=1), 1, atol=1e-5)
    assert np.allclose(pair.encode(clips[32:])[0], embedding[32:], atol=1e-5)


def test_a_pair_that_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, target="sha256:another")
    with pytest.raises(EncoderMismatch, match="sha256:another"):
        EncoderPair.load(tmp_path, "cpu")
    (tmp_path / SINGLE_FILE).replace(tmp_path / "kept")
    (tmp_path / MULTI_FILE).replace(tmp_path / SINGLE_FILE)
    (tmp_path / "kept").replace(tmp_path / MULTI_FILE)
    with pytest.raises(CheckpointError, match="not a single encoder"):
        EncoderPair.load(tmp_path, "cpu")


def test_a_match_model_goes_with_its_pair_alone(tmp_path: Path) -> None:
    write_pair(tmp_path)
    with pytest.raises(CheckpointError, match=r"without match\.safetensors, .*python -m training\.match"):
        EncoderPair.load(tmp_path, "cpu").calibrated_match()
    single, multi = (file_hash(tmp_path / name) for name in (SINGLE_FILE, MULTI_FILE))
    match_by_similarity(CONFIG.embedding_dim).save(tmp_path / MATCH_FILE, single, multi)
    pair = EncoderPair.load(tmp_path, "cpu")
    assert pair.calibrated_match() is pair.match
    write_pair(tmp_path)  # other encoders, trained again
    with pytest.raises(EncoderMismatch, match=MATCH_FILE):
        EncoderPair.load(tmp_path, "cpu")
    assert EncoderPair.load(tmp_path, "cpu", with_match=False).match is None  # to fit it again


def test_clips_of_another_length_are_refused(pair: EncoderPair) -> None:
    with pytest.raises(ValueError, match="expected clips"):
        pair.embed(np.zeros((2, 100), np.float32))
    with pytest.raises(ValueError, match="expected clips"):
        pair.encode(np.zeros((0, pair.clip_samples), np.float32))
