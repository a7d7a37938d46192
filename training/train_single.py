"""Train the single-instrument encoder: classify the training instruments, keep the penultimate activation.

Kim et al. 2022, section 3.1. Run it in slices: `python -m training.train_single --config ours-single --bank DIR --out DIR`,
or on several GPUs: `torchrun --nproc-per-node 2 -m training.train_single …`.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.checkpoint import CheckpointHeader, save_checkpoint
from models.encoder_pair import SINGLE_FILE
from models.encoders import SingleInstrumentEncoder
from models.errors import TrainingError
from training import parallel
from training.bank import Bank
from training.clip_store import ClipSource, ClipStore
from training.commands import arguments, commit, guarded, tell
from training.config import Recipe, SingleLossConfig, load_recipe
from training.effects.chain import Effects
from training.loop import Losses, Trainer, describe, require_run


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

    def forward(self, wave: Tensor) -> Tensor:
        """`wave [batch, samples]` → logits `[batch, num_instruments]`."""
        if self.config.classifier == "linear":
            return self.classifier(self.encoder.activation(wave))
        weight = functional.normalize(self.classifier.weight, dim=-1)
        return self.config.scale * functional.linear(self.encoder(wave), weight)


def random_shift(wave: Tensor, generator: torch.Generator) -> Tensor:
    """Roll the whole batch by one random number of samples, so that onsets fall anywhere in a frame."""
    return wave.roll(int(torch.randint(wave.shape[1], (1,), generator=generator)), dims=1)


def train(
    recipe: Recipe, bank: ClipSource, out: Path, device: torch.device, max_seconds: float | None
) -> Path | None:
    """Train or carry on; the path of the encoder's checkpoint when the recipe is done, else None."""
    batch_size = parallel.share(recipe.batch_size)
    torch.manual_seed(recipe.seed)
    store = ClipStore(bank, device)
    encoder = SingleInstrumentEncoder(recipe.encoder)
    network = InstrumentClassifier(encoder, store.num_instruments, recipe.single)
    trainer = Trainer(recipe, network, device, out)
    classify = parallel.distribute(network)
    effects = Effects(recipe.effects, recipe.encoder.front_end.sample_rate)

    def loss(generator: torch.Generator) -> Losses:
        clip = torch.randint(store.num_clips, (batch_size,), generator=generator)
        instrument = store.instrument_of_clip[clip].to(device)
        wave = effects.stems(random_shift(store.take(clip), generator), generator)
        logits = classify(wave).float()
        value = functional.cross_entropy(logits, instrument, label_smoothing=recipe.single.label_smoothing)
        return {"loss": value, "top1": (logits.argmax(dim=1) == instrument).float().mean()}

    trainer.resume()
    if not trainer.run(loss, max_seconds):
        return None
    record = describe(recipe, bank, trainer.step) | {"commit": commit()}
    header = CheckpointHeader("single", recipe.encoder.to_dict(), training=record)
    if parallel.leads():
        save_checkpoint(encoder, header, out / SINGLE_FILE, dtype=torch.float16)
    return out / SINGLE_FILE


@guarded
def main(argv: list[str] | None = None) -> int:
    options = arguments("Train the single-instrument encoder.").parse_args(argv)
    recipe = replace(load_recipe(options.config, options.set), kind="single")
    seconds = options.minutes * 60 if options.minutes else None
    if options.bank is None:
        raise TrainingError("the single encoder learns from Nlakh-single: give --bank")
    if options.resume:
        require_run(options.out)
    bank = Bank.open(options.bank, options.split)
    with parallel.joined(options.device) as device:
        tell(train(recipe, bank, options.out, device, seconds), options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
