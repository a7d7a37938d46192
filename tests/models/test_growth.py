"""A grown network starts equal to the trained one it copies: its additional blocks and slot layers are idle."""

from dataclasses import replace

import pytest
import torch

from models.encoders import EncoderConfig, MultiInstrumentEncoder

SMALL = EncoderConfig(
    backbone="compact",
    backbone_options={"widths": [4, 8, 8]},
    embedding_dim=16,
    num_slots=3,
    head="attention",
    head_options={"width": 16, "depth": 1, "num_heads": 2},
)
WAVE = torch.randn(2, 80_000, generator=torch.Generator().manual_seed(3)) * 0.1


def made(config: EncoderConfig, seed: int = 0) -> MultiInstrumentEncoder:
    torch.manual_seed(seed)
    return MultiInstrumentEncoder(config).eval()


@pytest.mark.parametrize(
    "grown",
    [
        SMALL,
        replace(SMALL, backbone_options={"widths": [4, 8, 8], "depths": [1, 3]}),
        replace(SMALL, backbone_options={"widths": [4, 8, 8], "depths": [2, 2]}),
        replace(SMALL, head_options={"width": 16, "depth": 3, "num_heads": 2}),
        replace(SMALL, head_options={"width": 16, "depth": 1, "cell_depth": 2, "num_heads": 2}),
    ],
)
def test_it_answers_as_before(grown: EncoderConfig) -> None:
    trained, larger = made(SMALL), made(grown, seed=1)
    with torch.inference_mode():
        before = trained(WAVE)
        assert not torch.allclose(larger(WAVE).embedding, before.embedding, atol=1e-3)
        larger.grow_from(trained)
        after = larger(WAVE)
    assert torch.allclose(after.embedding, before.embedding, atol=1e-5)
    assert torch.allclose(after.presence, before.presence, atol=1e-5)


@pytest.mark.parametrize(
    ("trained", "wanted"),
    [
        (SMALL, replace(SMALL, backbone_options={"widths": [4, 8, 16]})),
        (replace(SMALL, backbone_options={"widths": [4, 8, 8], "depths": [2, 1]}), SMALL),
        (SMALL, replace(SMALL, backbone_options={"widths": [4, 8, 8, 8]})),
        (replace(SMALL, backbone_options={"widths": [4, 8, 8, 8]}), SMALL),
        (SMALL, replace(SMALL, head="pooled", head_options={})),
        (replace(SMALL, head="pooled", head_options={}), SMALL),
        (replace(SMALL, head_options={"width": 16, "depth": 2, "num_heads": 2}), SMALL),
        (replace(SMALL, head_options={"width": 16, "depth": 1, "cell_depth": 1, "num_heads": 2}), SMALL),
        (SMALL, replace(SMALL, backbone="han", backbone_options={})),
    ],
)
def test_another_network_is_refused(trained: EncoderConfig, wanted: EncoderConfig) -> None:
    with pytest.raises(RuntimeError):
        made(wanted).grow_from(made(trained))


@pytest.mark.parametrize("depths", [[1], [1, 0], [1, 1, 1]])
def test_depths_name_every_stage(depths: list[int]) -> None:
    with pytest.raises(ValueError, match="depths"):
        made(replace(SMALL, backbone_options={"widths": [4, 8, 8], "depths": depths}))


def test_every_layer_of_a_grown_head_reads_the_same_slots_until_it_is_trained() -> None:
    deep = made(replace(SMALL, head_options={"width": 16, "depth": 3, "num_heads": 2}), seed=1)
    deep.grow_from(made(SMALL))
    with torch.inference_mode():
        out = deep.logits_of(deep.front_end(WAVE), every_layer=True)
    assert len(out.earlier) == 2
    for layer in out.earlier:
        assert torch.allclose(layer.embedding, out.embedding, atol=1e-5)
        assert torch.allclose(layer.presence_logit, out.presence_logit, atol=1e-5)


@pytest.mark.parametrize(
    ("depths", "added"),
    [
        (
            {"depth": 2},
            ("layers.1.self_attention.out_proj", "layers.1.cross_attention.out_proj", "layers.1.mlp.2"),
        ),
        ({"depth": 1, "cell_depth": 1}, ("cell_layers.0.self_attention.out_proj", "cell_layers.0.mlp.2")),
    ],
    ids=["slots", "cells"],
)
def test_an_untrained_layer_learns(depths: dict[str, int], added: tuple[str, ...]) -> None:
    deep = made(replace(SMALL, head_options={"width": 16, "num_heads": 2} | depths), seed=1)
    deep.grow_from(made(SMALL))
    deep.logits(WAVE).embedding.square().sum().backward()
    parameters = dict(deep.head.named_parameters())
    for name in added:
        gradient = parameters[f"{name}.weight"].grad
        assert gradient is not None
        assert gradient.abs().sum() > 0
