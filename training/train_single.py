"""Train the single-instrument encoder: classify the training instruments, keep the penultimate activation.

Kim et al. 2022, section 3.1. Run it in slices: `python -m training.train_single --config ours-single --bank DIR --out DIR`,
or on several GPUs: `torchrun --nproc-per-node 2 -m training.train_single …`.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.checkpoint import CheckpointHeader, file_hash, load_single, save_checkpoint
from models.encoder_pair import SINGLE_FILE
from models.encoders import SingleInstrumentEncoder
from models.errors import TrainingError
from models.front_end import FrontEnd
from training import parallel
from training.bank import Bank
from training.clip_store import ClipSource, ClipStore
from training.commands import arguments, commit, guarded, tell
from training.config import Recipe, SingleLossConfig, load_recipe
from training.effects.chain import Effects
from training.loop import Losses, Trainer, describe, require_run
from training.mel_mixing import MEL_FILE, open_mel_mixer
from training.mixing import Casting
from training.targets import TARGETS_FILE, Targets

DrawClips = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]  # images and their instruments


class InstrumentClassifier(nn.Module):
    """The encoder and the layer that only training needs: embeddings to instrument logits."""

    def __init__(
        self, encoder: SingleInstrumentEncoder, num_instruments: int, config: SingleLossConfig
    ) -> None:
        super().__init__()
        self.encoder, self.config = encoder, config
        self.classifier = nn.Linear(
            encoder.config.embedding_dim, num_instruments, bias=config.classifier == "linear"
        )

    def forward(self, image: Tensor) -> Tensor:
        """`image [batch, 1, n_mels, frames]` → logits `[batch, num_instruments]`."""
        activation = self.encoder.activation_of(image)
        if self.config.classifier == "linear":
            return self.classifier(activation)
        weight = functional.normalize(self.classifier.weight, dim=-1)
        embedding = functional.normalize(activation.float(), dim=-1)
        return self.config.scale * functional.linear(embedding, weight)

    @torch.no_grad()
    def carry_on(self, trained: SingleInstrumentEncoder, prototype: Tensor) -> None:
        """Start as a trained encoder that tells instruments by their `prototype [num_instruments, dim]`.

        Raises TrainingError if the recipe's network cannot grow from it.
        """
        try:
            self.encoder.grow_from(trained)
        except RuntimeError as error:
            raise TrainingError("the encoder to start from is another network than the recipe's") from error
        self.classifier.weight.copy_(prototype)


def classification_losses(logits: Tensor, instrument: Tensor, config: SingleLossConfig) -> Losses:
    """Cross-entropy of `logits [batch, num_instruments]`, the margin taken off the truth, and the share that is right."""
    true = functional.one_hot(instrument, logits.shape[1])
    value = functional.cross_entropy(
        logits - config.scale * config.margin * true, instrument, label_smoothing=config.label_smoothing
    )
    return {"loss": value, "top1": (logits.argmax(dim=1) == instrument).float().mean()}


def random_shift(wave: Tensor, generator: torch.Generator) -> Tensor:
    """Roll the whole batch by one random number of samples, so that onsets fall anywhere in a frame."""
    return wave.roll(int(torch.randint(wave.shape[1], (1,), generator=generator)), dims=1)


def open_clips(recipe: Recipe, store: ClipStore, front_end: FrontEnd, cache: Path) -> DrawClips:
    """How a batch of clips is drawn: with the recipe's effects, or of a mel bank, each clip turned round in time.

    Raises TrainingError when clips made in the mel domain are to have `[effects]`.
    """
    if recipe.mixing.domain == "mel":
        alone = Casting(store, 1, 1, 0.0)
        mixer = open_mel_mixer(recipe, alone, store, cache)

        def from_mel(number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
            batch = mixer.draw(number, generator)
            return batch.image, batch.instrument[:, 0]

        return from_mel
    effects = Effects(recipe.effects, recipe.encoder.front_end.sample_rate)

    def from_samples(number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        clip = torch.randint(store.num_clips, (number,), generator=generator)
        wave = effects.stems(random_shift(store.take(clip), generator), generator)
        return front_end(wave), store.instrument_of_clip[clip].to(store.device)

    return from_samples


def train(
    recipe: Recipe,
    bank: ClipSource,
    out: Path,
    device: torch.device,
    max_seconds: float | None,
    start: Path | None = None,
) -> Path | None:
    """Train or carry on; the path of the encoder's checkpoint when the recipe is done, else None."""
    batch_size = parallel.share(recipe.batch_size)
    torch.manual_seed(recipe.seed)
    store = ClipStore(bank, device)
    encoder = SingleInstrumentEncoder(recipe.encoder)
    network = InstrumentClassifier(encoder, store.num_instruments, recipe.single)
    with parallel.leader_first():
        draw = open_clips(recipe, store, encoder.front_end.to(device), out / MEL_FILE)
        if start is not None:
            trained, _ = load_single(start)
            targets = Targets.compute(trained, store, out / TARGETS_FILE, file_hash(start))
            network.carry_on(trained, targets.prototype.cpu())
    trainer = Trainer(recipe, network, device, out)
    classify = parallel.distribute(network)

    def loss(generator: torch.Generator) -> Losses:
        image, instrument = draw(batch_size, generator)
        return classification_losses(classify(image).float(), instrument, recipe.single)

    trainer.resume()
    if not trainer.run(loss, max_seconds):
        return None
    record = describe(recipe, bank, trainer.step) | {"commit": commit()}
    if start is not None:
        record["start"] = file_hash(start)
    header = CheckpointHeader("single", recipe.encoder.to_dict(), training=record)
    if parallel.leads():
        save_checkpoint(encoder, header, out / SINGLE_FILE, dtype=torch.float16)
    return out / SINGLE_FILE


@guarded
def main(argv: list[str] | None = None) -> int:
    parser = arguments("Train the single-instrument encoder.")
    parser.add_argument("--start", type=Path, help="a trained single encoder whose weights are taken over")
    options = parser.parse_args(argv)
    recipe = replace(load_recipe(options.config, options.set), kind="single")
    seconds = options.minutes * 60 if options.minutes else None
    if options.bank is None:
        raise TrainingError("the single encoder learns from Nlakh-single: give --bank")
    if options.resume:
        require_run(options.out)
    bank = Bank.open(options.bank, options.split)
    with parallel.joined(options.device) as device:
        tell(train(recipe, bank, options.out, device, seconds, options.start), options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
