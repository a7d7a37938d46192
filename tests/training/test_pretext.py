"""Pre-training of extractors: words become vectors, each objective equals its definition and falls, seconds sound."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import load_vggish
from models.errors import TrainingError
from models.recognition.vggish import PATCH_SAMPLES, Vggish, VggishConfig
from tests.training.evaluation.held_out_bank import write_splits
from training.bank import Bank
from training.config import OptimizerConfig, read_recipe
from training.loop import make_optimizer
from training.nlakh.dataset import DatasetInstrument
from training.recognition.attention_recipe import EXTRACTOR_RECIPE, ExtractorRecipe
from training.recognition.feature_kinds import OBJECTIVES
from training.recognition.patches import CELL_SAMPLES, PatchSampler, sounding_starts
from training.recognition.pretext import (
    TEMPERATURE,
    Denoising,
    PretextNetwork,
    TextualDescription,
    contrastive_loss,
    objective_of,
)
from training.recognition.tag_vectors import TagTable, word_vectors, words_of
from training.recognition.train_extractor import ExtractorRun, train

CPU = torch.device("cpu")
NAMES = ("Warm Pad", "warm_pad_2", "Slow Strings", "Strings slow", "Warm slow Strings", "b_000")
FAMILIES = ("synth_pad", "synth_pad", "string", "string", "string", "brass")


def instrument(place: int, name: str, family: str | None) -> DatasetInstrument:
    return DatasetInstrument(place + 1, f"b_{place:03d}", name, family, "b", "train")


def table() -> TagTable:
    rows = [
        instrument(place, name, family)
        for place, (name, family) in enumerate(zip(NAMES, FAMILIES, strict=True))
    ]
    return TagTable.of([*rows[:-1], instrument(0, "b_000", "brass")])


def tiny_extractor() -> Vggish:
    torch.manual_seed(0)
    return Vggish(VggishConfig(width=0.05))


def test_words_are_those_of_names_and_families() -> None:
    assert words_of(instrument(1, "synth_Bass 9 (ii)", "bass")) == {"synth", "bass"}
    assert words_of(instrument(1, "B_001", None)) == set()  # only an id
    found = table()
    assert found.words == (
        "brass",
        "slow",
        "string",
        "strings",
        "synth_pad",
        "warm",
    )  # pad is borne by two only
    assert found.tags[2].tolist() == [0, 1, 1, 1, 0, 0]
    with pytest.raises(TrainingError, match="1 words describe"):
        TagTable.of([instrument(0, "x", "brass")])


def test_vectors_factorise_the_information_of_words_in_one_name() -> None:
    tags = (np.random.default_rng(0).random((40, 6)) < 0.4).astype(np.float32)
    together = tags.T @ tags
    information = np.zeros((6, 6))
    for one in range(6):
        for other in range(6):
            expected = together[one].sum() * together[:, other].sum() / together.sum()
            information[one, other] = max(0.0, np.log(max(together[one, other], 1e-9) / expected))
    vectors = word_vectors(tags)
    value, left = np.linalg.eigh(information)
    kept = abs(value) > 1e-9
    scaled = left[:, kept] * np.sqrt(abs(value[kept]))
    scaled /= np.linalg.norm(scaled, axis=1, keepdims=True)
    assert np.allclose(vectors @ vectors.T, scaled @ scaled.T, atol=1e-4)


def test_instruments_that_share_words_have_near_targets() -> None:
    targets = table().targets()
    assert np.allclose(np.linalg.norm(targets, axis=1), 1, atol=1e-5)
    near = targets @ targets.T
    assert near[2, 3] == pytest.approx(1, abs=1e-5)  # the same words
    assert near[2, 4] > near[2, 0]
    assert near[2, 4] > near[2, 5]


def test_the_decoder_gives_96_frames_of_64_bands() -> None:
    for noise in ("additive", "multiplicative"):
        objective = Denoising(noise)
        assert objective.decoder(torch.zeros(2, 128, 1)).shape == (2, 64, 96)
        patch = torch.full((4, 96, 64), 2.0)
        torch.manual_seed(0)
        lost = objective.corrupted(patch) - patch
        if noise == "additive":
            assert float(lost.std()) == pytest.approx(0.1, abs=0.005)
        else:
            assert set(lost.unique().tolist()) == {-2.0, 0.0}
            assert float((lost == 0).float().mean()) == pytest.approx(0.5, abs=0.02)


def test_the_text_loss_is_that_of_torch_with_a_margin() -> None:
    extractor, objective = tiny_extractor(), TextualDescription(table()).eval()
    patch, place = torch.randn(6, 96, 64), torch.arange(6)
    with torch.inference_mode():
        told = objective.layers(extractor.features_of(patch))
        text = objective.targets[place]
        together = torch.nn.functional.cosine_embedding_loss(told, text, torch.ones(6))
        apart = torch.nn.functional.cosine_embedding_loss(
            told, text.roll(1, 0), -torch.ones(6), margin=0.5, reduction="none"
        )
        apart[3] = 0  # the text of the third is that of the second
        assert float(objective(extractor, patch, place)) == pytest.approx(
            float(together + apart.mean()), abs=1e-5
        )


def test_the_contrastive_loss_equals_its_definition() -> None:
    generator = torch.Generator().manual_seed(0)
    audio, text = (torch.randn(4, 5, generator=generator) for _ in range(2))
    tags = torch.tensor([[1, 0], [0, 1], [1, 0], [1, 1]])  # the first and the third are alike
    both = [*audio, *text]
    total = 0.0
    for place, own in enumerate(both):
        partner = (place + 4) % 8
        weight = {
            other: float(torch.exp(torch.cosine_similarity(own, both[other], dim=0) / TEMPERATURE))
            for other in range(8)
            if other == partner or not bool((tags[other % 4] == tags[place % 4]).all())
        }
        total -= float(np.log(weight[partner] / sum(weight.values())))
    assert float(contrastive_loss(audio, text, tags)) == pytest.approx(total / 8, rel=1e-4)


def test_seconds_begin_where_the_clip_sounds() -> None:
    wave = torch.zeros(2, 80_000)
    wave[0, 40_000:48_000] = 0.5
    usable = sounding_starts(wave)
    sounding = torch.nonzero(usable[0])[:, 0] * CELL_SAMPLES
    assert sounding.min() > 40_000 - PATCH_SAMPLES - CELL_SAMPLES
    assert sounding.max() < 48_000
    assert usable[1].all()  # silence


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tones")
    write_splits(folder, {"train": (5, 4), "valid": (5, 2)}, 32_000)
    return folder


def test_the_last_clip_of_each_instrument_validates(bank: Path) -> None:
    patches = PatchSampler([Bank.open(bank, "train")], 3)
    assert len(patches.instruments) == 4  # one has no family
    assert patches.trained.tolist() == [0, 1, 3, 4, 6, 7, 9, 10]
    assert patches.held.tolist() == [2, 5, 8, 11]
    wave, place = patches.draw(50, torch.Generator().manual_seed(0))
    assert wave.shape == (50, PATCH_SAMPLES)
    assert set(place.tolist()) == {0, 1, 2, 3}
    one, two = (patches.validation(3) for _ in range(2))
    assert [len(wave) for wave, _ in one] == [3, 1]
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, two, strict=True))
    with pytest.raises(TrainingError, match="one clip each"):
        PatchSampler([Bank.open(bank, "train")], 1)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_falls(name: str, bank: Path) -> None:
    patches = PatchSampler([Bank.open(bank, "train")], 4)
    network = PretextNetwork(tiny_extractor(), objective_of(name, TagTable.of(patches.instruments)))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    wave, place = patches.draw(8, torch.Generator().manual_seed(0))
    patch, losses = network.extractor.log_mel.frames(wave), list[float]()
    for _ in range(16):
        loss = network(patch, place)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:2])


def recipe(*more: str) -> ExtractorRecipe:
    tiny = (
        "epochs = 3",
        "batch_size = 4",
        'precision = "float32"',
        "clips_per_instrument = 4",
        "log_every = 1",
    )
    network = ('network.objective = "identification"', "network.width = 0.05")
    return read_recipe(ExtractorRecipe, EXTRACTOR_RECIPE, [*tiny, *network, *more])


def test_an_interrupted_run_ends_with_the_same_extractor(bank: Path, tmp_path: Path) -> None:
    whole = train(ExtractorRun(recipe(), [bank], tmp_path / "whole.safetensors", tmp_path / "whole", CPU))
    parts = ExtractorRun(recipe(), [bank], tmp_path / "parts.safetensors", tmp_path / "parts", CPU, 0.0)
    assert train(parts) is None
    while (path := train(parts)) is None:
        pass
    assert whole is not None
    (one, header), (two, _) = (load_vggish(found) for found in (whole, path))
    assert one.config.objective == "identification"
    assert header.metrics["valid.minus_loss"] < 0
    assert header.training["steps"] in (3, 6, 9)  # an epoch has twelve clips, three batches
    assert all(torch.equal(one.state_dict()[name], two.state_dict()[name]) for name in one.state_dict())


def test_a_run_ends_when_validation_no_longer_improves(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = recipe("epochs = 50", "patience = 2", "optimizer.learning_rate = 0.0")
    run = ExtractorRun(still, [bank], tmp_path / "vggish.safetensors", tmp_path, CPU)
    assert train(run) == run.path
    assert load_vggish(run.path)[1].training["steps"] == 3
    validated = [line for line in capsys.readouterr().out.splitlines() if "validation at" in line]
    assert [line.split()[2] for line in validated] == ["3:", "6:", "9:"]
    assert train(run) == run.path  # a run that is over stays so
    assert "validation" not in capsys.readouterr().out


def test_adam_with_decay_in_the_loss_is_not_adam_without() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    for name, decay in (("adam", 0), ("adam_l2", 0.1)):
        optimizer = make_optimizer(OptimizerConfig(name=name, weight_decay=0.1), [weight])  # type: ignore[arg-type]
        assert isinstance(optimizer, torch.optim.Adam)
        assert optimizer.defaults["weight_decay"] == decay
