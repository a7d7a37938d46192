"""Train the multi-instrument encoder: mixtures in, the stems' single-encoder embeddings out, in any order.

Kim et al. 2022, section 3.2; with presence, and optionally the losses that sharpen slots and local embeddings.
Run it in slices: `python -m training.train_multi --config ours-multi --single FILE --bank DIR --out DIR`,
or on several GPUs: `torchrun --nproc-per-node 2 -m training.train_multi …`.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from models.checkpoint import CheckpointHeader, file_hash, load_multi, load_single, save_checkpoint
from models.encoder_pair import MULTI_FILE
from models.encoders import MultiInstrumentEncoder, SingleInstrumentEncoder
from models.errors import TrainingError
from training import parallel
from training.bank import Bank
from training.clip_store import ClipSource, ClipStore
from training.commands import arguments, commit, guarded, tell
from training.config import MultiLossConfig, Recipe, load_recipe
from training.effects.chain import Effects
from training.loop import Losses, Trainer, describe, require_run
from training.losses import slot_losses
from training.mel_mixing import MEL_FILE, MelBatch, MelMixer, open_mel_mixer
from training.mixing import Caster, Casting, Mixer, MixtureBatch
from training.stored_mixtures import StoredMixer, StoredMixtureSampler
from training.targets import TARGETS_FILE, Targets


class MultiObjective(nn.Module):
    """The network and its losses in one forward pass, as data-parallel training needs them."""

    def __init__(self, network: MultiInstrumentEncoder, targets: Targets, config: MultiLossConfig) -> None:
        super().__init__()
        self.network, self.targets, self.config = network, targets, config

    def forward(self, batch: MixtureBatch | MelBatch) -> Losses:
        num_cells = self.config.num_cells if self.config.cell else 0
        image = batch.image if isinstance(batch, MelBatch) else self.network.front_end(batch.wave)
        out = self.network.logits_of(image, num_cells=num_cells)
        return slot_losses(out, batch, self.targets, self.config)


def start_from(single: SingleInstrumentEncoder, multi: MultiInstrumentEncoder) -> None:
    """Take over the single encoder's backbone. Raises TrainingError if the recipe's cannot grow from it."""
    try:
        multi.backbone.grow_from(single.backbone)
    except RuntimeError as error:
        raise TrainingError(
            "start_from_single needs a backbone that grows from the single encoder's"
        ) from error


def carry_on_from(path: Path, single_path: Path, multi: MultiInstrumentEncoder) -> None:
    """Take over a trained multi encoder's weights; what the recipe's network has more of starts idle.

    Raises TrainingError if it differs in shape, or was trained neither against this single encoder nor against the one
    that this single encoder itself carried on from, whose embeddings are still much like its own.
    """
    trained, header = load_multi(path)
    _, single_header = load_single(single_path)
    known = {file_hash(single_path), single_header.training.get("start")}
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
    """Rendered mixtures from Nlakh-multi, random ones, with the recipe's effects, from anything else.

    Raises TrainingError when rendered mixtures, or mixtures made in the mel domain, are to have `[effects]`.
    """
    mixing, effects, front_end = recipe.mixing, recipe.effects, recipe.encoder.front_end
    drawn = mixing.min_instruments, mixing.max_instruments, mixing.gain_db
    if mixing.domain == "mel":
        casting: Caster = (
            StoredMixtureSampler(store, bank, mixing.max_instruments)
            if isinstance(bank, Bank) and bank.kind == "multi"
            else Casting(store, *drawn)
        )
        return open_mel_mixer(recipe, casting, store, cache)
    if not isinstance(bank, Bank) or bank.kind == "single":
        return Mixer(store, *drawn, Effects(effects, front_end.sample_rate))
    if effects.any():
        raise TrainingError(
            "only random mixtures can be given effects: train on --bank, or leave the effects out"
        )
    return StoredMixer(store, bank, mixing.max_instruments)


def train(
    recipe: Recipe,
    bank: ClipSource,
    single_path: Path,
    out: Path,
    device: torch.device,
    max_seconds: float | None,
    start: Path | None = None,
) -> Path | None:
    """Train or carry on; the path of the encoder's checkpoint when the recipe is done, else None."""
    batch_size = parallel.share(recipe.batch_size)
    torch.manual_seed(recipe.seed)
    single, _ = load_single(single_path)
    store = ClipStore(bank, device)
    with parallel.leader_first():
        mixer = open_mixer(recipe, bank, store, out / MEL_FILE)
        targets = Targets.compute(single, store, out / TARGETS_FILE, file_hash(single_path))
    network = MultiInstrumentEncoder(recipe.encoder)
    if start is not None:
        carry_on_from(start, single_path, network)
    elif recipe.start_from_single:
        start_from(single, network)
    trainer = Trainer(recipe, network, device, out)
    objective = parallel.distribute(MultiObjective(network, targets, recipe.multi))

    def loss(generator: torch.Generator) -> Losses:
        batch = mixer.draw(batch_size, generator, recipe.mixing.max_at(trainer.step))
        losses: Losses = objective(batch)
        return losses

    trainer.resume()
    if not trainer.run(loss, max_seconds):
        return None
    record = describe(recipe, bank, trainer.step) | {"commit": commit()}
    if start is not None:
        record["start"] = file_hash(start)
    header = CheckpointHeader("multi", recipe.encoder.to_dict(), file_hash(single_path), training=record)
    if parallel.leads():
        save_checkpoint(network, header, out / MULTI_FILE, dtype=torch.float16)
    return out / MULTI_FILE


@guarded
def main(argv: list[str] | None = None) -> int:
    parser = arguments("Train the multi-instrument encoder.")
    parser.add_argument("--single", type=Path, required=True, help="the trained single encoder's checkpoint")
    parser.add_argument("--mixtures", type=Path, help="Nlakh-multi in either layout, in place of --bank")
    parser.add_argument("--start", type=Path, help="a trained multi encoder to carry on from")
    options = parser.parse_args(argv)
    recipe = replace(load_recipe(options.config, options.set), kind="multi")
    seconds = options.minutes * 60 if options.minutes else None
    if options.resume:
        require_run(options.out)
    if (options.bank is None) == (options.mixtures is None):
        raise TrainingError("the multi encoder learns from one of --bank and --mixtures")
    bank = (
        Bank.open(options.bank, options.split)
        if options.mixtures is None
        else Bank.open(options.mixtures, options.split, "multi")
    )
    with parallel.joined(options.device) as device:
        done = train(recipe, bank, options.single, options.out, device, seconds, options.start)
        tell(done, options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
