"""Train the multi-instrument encoder: mixtures in, the single encoder's embeddings of their stems out, in any order.

Kim et al. 2022, section 3.2, with presence and optional losses (`training/losses.py`).
`python -m training.train_multi --config ours-multi --single FILE --bank DIR --out DIR`, or on several GPUs
`torchrun --nproc-per-node 2 -m training.train_multi …`.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from models.checkpoint import file_hash, load_multi, load_single
from models.encoders import MultiInstrumentEncoder, SingleInstrumentEncoder
from models.errors import TrainingError
from training import parallel
from training.bank import Bank
from training.clip_store import ClipSource, ClipStore
from training.commands import cli_errors
from training.config import MultiLossConfig, Recipe
from training.effects.chain import Effects
from training.effects.config import EffectsConfig
from training.loop import Losses, Trainer
from training.losses import slot_losses
from training.mel_mixing import MEL_FILE, MelBatch, MelMixer, open_mel_mixer
from training.mixing import Mixer, MixtureBatch, MixtureSampler, RandomMixtureSampler, recorded_weight
from training.run import TrainingRun, ancestors, finish_run, open_run, report_outcome, training_arguments
from training.stored_mixtures import StoredMixer, StoredMixtureSampler
from training.targets import TARGETS_FILE, Targets

RENDERED_FOLDER = "rendered"  # in the run's folder: caches of the rendered mixtures


class MultiObjective(nn.Module):
    """The network and its losses in one forward pass, as DistributedDataParallel needs them."""

    def __init__(self, network: MultiInstrumentEncoder, config: MultiLossConfig) -> None:
        super().__init__()
        self.network, self.config = network, config

    def forward(self, batch: MixtureBatch | MelBatch, targets: Targets) -> Losses:
        num_cells = self.config.num_cells if self.config.cell else 0
        image = batch.image if isinstance(batch, MelBatch) else self.network.front_end(batch.wave)
        out = self.network.logits_of(image, num_cells=num_cells, every_layer=self.config.layers > 0)
        return slot_losses(out, batch, targets, self.config)


class Lesson(NamedTuple):
    """One kind of mixtures to learn from, and the embeddings of their stems."""

    mixer: Mixer | MelMixer | StoredMixer
    targets: Targets


def start_from_single(single: SingleInstrumentEncoder, multi: MultiInstrumentEncoder) -> None:
    """Copy the single encoder's backbone. Raises TrainingError if the recipe's backbone cannot grow from it."""
    try:
        multi.backbone.grow_from(single.backbone)
    except RuntimeError as error:
        raise TrainingError(
            "start_from_single needs a backbone that grows from the single encoder's"
        ) from error


def start_from_multi(path: Path, single_path: Path, multi: MultiInstrumentEncoder) -> None:
    """Copy a trained multi encoder's weights; blocks that only the recipe's network has start as the identity.

    Its targets must be embeddings of this single encoder, or of one that this single encoder grew from: those embed alike.
    Raises TrainingError for other targets or another network.
    """
    trained, header = load_multi(path)
    _, single_header = load_single(single_path)
    known = {file_hash(single_path), *ancestors(single_header)}
    if header.target_encoder not in known:
        raise TrainingError(
            f"{path} was trained against another single encoder",
            value=header.target_encoder,
            limit=file_hash(single_path),
        )
    try:
        multi.grow_from(trained)
    except RuntimeError as error:
        raise TrainingError(f"{path} is another network than the recipe's") from error


def open_mixer(
    recipe: Recipe, bank: ClipSource, store: ClipStore, cache: Path
) -> Mixer | MelMixer | StoredMixer:
    """Return the mixer that the recipe and the data call for: rendered mixtures from a stem bank, random ones otherwise.

    Raises TrainingError for `[effects]` on rendered mixtures, and for `[effects.mixture]` in the mel domain.
    """
    mixing, effects, front_end = recipe.mixing, recipe.effects, recipe.encoder.front_end
    rendered = isinstance(bank, Bank) and bank.kind == "multi"
    limits = mixing.min_instruments, mixing.max_instruments, mixing.gain_db
    weight = None if rendered else recorded_weight(bank.instruments, mixing.recorded_share)
    if mixing.domain == "mel":
        sampler: MixtureSampler = (
            StoredMixtureSampler(store, bank, mixing.max_instruments)
            if isinstance(bank, Bank) and rendered
            else RandomMixtureSampler(store, *limits, weight)
        )
        return open_mel_mixer(recipe, sampler, store, cache)
    if not isinstance(bank, Bank) or not rendered:
        return Mixer(store, *limits, Effects(effects, front_end.sample_rate), weight)
    if effects.any():
        raise TrainingError(
            "effects apply to random mixtures only: train on --bank, or remove [effects] from the recipe"
        )
    return StoredMixer(store, bank, mixing.max_instruments)


def open_lesson(
    run: TrainingRun, recipe: Recipe, bank: ClipSource, folder: Path, single_path: Path
) -> Lesson:
    """Open the mixer of a data set and compute its stems' targets; both keep their caches in `folder`."""
    single, _ = load_single(single_path)
    store = ClipStore(bank, run.device)
    with parallel.main_process_first():
        folder.mkdir(parents=True, exist_ok=True)
        mixer = open_mixer(recipe, bank, store, folder / MEL_FILE)
        return Lesson(mixer, Targets.compute(single, store, folder / TARGETS_FILE, file_hash(single_path)))


def open_lessons(run: TrainingRun, single_path: Path) -> tuple[Lesson, ...]:
    """The lesson of `run.bank`, and that of `run.rendered` where it is given; the recipe's `[effects]` are for the first."""
    lessons = [open_lesson(run, run.recipe, run.bank, run.out, single_path)]
    if run.rendered is not None:
        recipe = replace(run.recipe, effects=EffectsConfig())  # rendered stems have passed theirs
        lessons.append(open_lesson(run, recipe, run.rendered, run.out / RENDERED_FOLDER, single_path))
    return tuple(lessons)


def choose_lesson(lessons: Sequence[Lesson], rendered_share: float, generator: torch.Generator) -> Lesson:
    """Draw the lesson of a batch: the rendered mixtures, where there are any, with the probability `rendered_share`."""
    if len(lessons) == 1:
        return lessons[0]
    return lessons[int(torch.rand((), generator=generator) < rendered_share)]


def train(run: TrainingRun, single_path: Path) -> Path | None:
    """Train or resume; return the encoder's checkpoint when the recipe is done, None when the time is up.

    `single_path` is the single encoder whose embeddings are the targets.
    """
    recipe, batch_size = run.recipe, parallel.per_rank_batch(run.recipe.batch_size)
    torch.manual_seed(recipe.seed)

    # Data
    lessons = open_lessons(run, single_path)

    # Model
    network = MultiInstrumentEncoder(recipe.encoder)
    if run.start is not None:
        start_from_multi(run.start, single_path, network)
    elif recipe.start_from_single:
        start_from_single(load_single(single_path)[0], network)
    trainer = Trainer(recipe, network, run.device, run.out)
    objective = parallel.data_parallel(MultiObjective(network, recipe.multi))

    # Loss
    def loss(generator: torch.Generator) -> Losses:
        lesson = choose_lesson(lessons, recipe.mixing.rendered_share, generator)
        batch = lesson.mixer.draw(batch_size, generator, recipe.mixing.max_at(trainer.step))
        losses: Losses = objective(batch, lesson.targets)
        return losses

    # Loop
    trainer.resume()
    if not trainer.run(loss, run.max_seconds):
        return None
    return finish_run(run, network, trainer.step, target_encoder=file_hash(single_path))


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = training_arguments("Train the multi-instrument encoder.")
    parser.add_argument("--single", type=Path, required=True, help="checkpoint of the trained single encoder")
    parser.add_argument(
        "--mixtures", type=Path, help="Nlakh-multi in either layout, instead of --bank, or beside it"
    )
    options = parser.parse_args(argv)
    with open_run("multi", options) as run:
        report_outcome(run, train(run, options.single))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
