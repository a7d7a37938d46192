"""Encoders: the paper's sizes, unit norms, presence in 0…1, independence from batch and level, silence."""

import pytest
import torch

from models.backbones import ConvNeXtBlock, HanCNN, build_backbone
from models.encoders import EncoderConfig, MultiInstrumentEncoder, SingleInstrumentEncoder

SMALL: list[EncoderConfig] = [
    EncoderConfig("han", {"widths": [4, 4, 8, 8]}, embedding_dim=16, num_slots=3),
    EncoderConfig("convnext", {"depths": [1, 1], "widths": [8, 16]}, embedding_dim=16, num_slots=3),
    EncoderConfig("compact", {"widths": [4, 8, 8]}, embedding_dim=16, num_slots=3),
    EncoderConfig(
        "compact", {"widths": [4, 8, 8]}, 16, 3, "attention", {"width": 16, "depth": 2, "num_heads": 2}
    ),
]


def waves(batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, 80_000, generator=torch.Generator().manual_seed(1)) * 0.1


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_sizes_are_the_papers() -> None:
    classes = 953
    single = SingleInstrumentEncoder()
    assert parameters(single) + (1024 + 1) * classes == pytest.approx(2.41e6, rel=0.005)
    assert parameters(MultiInstrumentEncoder()) == pytest.approx(10.9e6, rel=0.005)
    large = MultiInstrumentEncoder(EncoderConfig(backbone="convnext"))
    assert parameters(large) == pytest.approx(56.5e6, rel=0.005)


def test_the_paper_encoder_embeds_in_1024_dimensions() -> None:
    single, multi = SingleInstrumentEncoder().eval(), MultiInstrumentEncoder().eval()
    with torch.inference_mode():
        assert single(waves(1)).shape == (1, 1024)
        assert multi(waves(1)).embedding.shape == (1, 9, 1024)


@pytest.mark.parametrize("config", SMALL, ids=lambda config: f"{config.backbone}-{config.head}")
class TestEveryEncoder:
    def test_embeddings_have_unit_norm_and_presence_is_a_probability(self, config: EncoderConfig) -> None:
        with torch.inference_mode():
            single = SingleInstrumentEncoder(config).eval()(waves())
            slots = MultiInstrumentEncoder(config).eval()(waves())
        assert torch.allclose(single.norm(dim=-1), torch.ones(3), atol=1e-5)
        assert torch.allclose(slots.embedding.norm(dim=-1), torch.ones(3, 3), atol=1e-5)
        assert ((slots.presence > 0) & (slots.presence < 1)).all()

    def test_a_batch_of_one_equals_a_batch_of_many(self, config: EncoderConfig) -> None:
        encoder, wave = MultiInstrumentEncoder(config).eval(), waves()
        with torch.inference_mode():
            many, ones = encoder(wave), [encoder(row[None]) for row in wave]
        assert torch.allclose(many.embedding, torch.cat([one.embedding for one in ones]), atol=1e-5)
        assert torch.allclose(many.presence, torch.cat([one.presence for one in ones]), atol=1e-5)

    def test_level_does_not_matter(self, config: EncoderConfig) -> None:
        encoder = SingleInstrumentEncoder(config).eval()
        with torch.inference_mode():
            assert torch.allclose(encoder(waves()), encoder(waves() * 0.01), atol=1e-3)

    def test_silence_and_short_clips_are_finite(self, config: EncoderConfig) -> None:
        encoder = MultiInstrumentEncoder(config).eval()
        with torch.inference_mode():
            for wave in (torch.zeros(1, 80_000), torch.zeros(1, 1), waves(1)[:, :100]):
                assert encoder(wave).embedding.isfinite().all()

    def test_every_parameter_of_the_multi_encoder_learns(self, config: EncoderConfig) -> None:
        encoder = MultiInstrumentEncoder(config).train()
        out = encoder.logits(waves(), num_cells=5)
        (out.embedding.square().mean() + out.embedding.mean() + out.presence_logit.mean()).backward()
        silent = [name for name, value in encoder.named_parameters() if value.grad is None]
        assert not silent


def test_stochastic_depth_drops_whole_branches_only_in_training() -> None:
    block, x = ConvNeXtBlock(4, drop_path=0.5), torch.randn(64, 4, 6, 6)
    torch.nn.init.ones_(block.scale)
    dropped = (block.train()(x) == x).flatten(1).all(dim=1)
    assert 0 < dropped.sum() < 64
    assert not (block.eval()(x) == x).flatten(1).all(dim=1).any()


def test_han_pools_by_maximum() -> None:
    feature_map = torch.zeros(1, 256, 4, 5)
    feature_map[0, :, 2, 3] = 7
    assert (HanCNN().pool(feature_map) == 7).all()


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="known are han"):
        build_backbone("resnet")
    with pytest.raises(ValueError, match="pooled, attention"):
        EncoderConfig(head="mean")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="num_slots 0"):
        EncoderConfig(num_slots=0)
