"""Train the single-instrument encoder: classify the training instruments, keep the penultimate activation.

Kim et al. 2022, section 3.1. `python -m training.train_single --config ours-single --bank DIR --out DIR`, or on several GPUs
`torchrun --nproc-per-node 2 -m training.train_single …`.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.checkpoint import file_hash, load_single
from models.encoders import SingleInstrumentEncoder
from models.errors import TrainingError
from training import parallel
from training.clip_store import UNKNOWN, ClipStore
from training.commands import cli_errors
from training.config import SingleLossConfig
from training.effects.chain import Effects
from training.loop import Losses, Trainer
from training.mel_mixing import MEL_FILE, open_mel_mixer
from training.mixing import RandomMixtureSampler
from training.run import TrainingRun, finish_run, open_run, report_outcome, training_arguments
from training.targets import TARGETS_FILE, Targets

# Draws a batch of clips: front-end images [n, 1, n_mels, frames] and instruments [n].
DrawClips = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]


class InstrumentClassifier(nn.Module):
    """The encoder with classification layers on top, which only training needs: images to instrument and family logits."""

    def __init__(
        self,
        encoder: SingleInstrumentEncoder,
        num_instruments: int,
        config: SingleLossConfig,
        num_families: int = 0,
    ) -> None:
        super().__init__()
        self.encoder, self.config = encoder, config
        self.classifier = nn.Linear(
            encoder.config.embedding_dim, num_instruments, bias=config.classifier == "linear"
        )
        self.families = (
            nn.Linear(encoder.config.embedding_dim, num_families, bias=False) if num_families else None
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """`image [batch, 1, n_mels, frames]` → logits `[batch, num_instruments]` and `[batch, num_families]`."""
        activation = self.encoder.activation_of(image)
        family = self._by_cosine(activation, self.families) if self.families else activation[:, :0]
        if self.config.classifier == "linear":
            return self.classifier(activation), family
        return self._by_cosine(activation, self.classifier), family

    def _by_cosine(self, activation: Tensor, layer: nn.Linear) -> Tensor:
        weight = functional.normalize(layer.weight, dim=-1)
        embedding = functional.normalize(activation.float(), dim=-1)
        return self.config.scale * functional.linear(embedding, weight)

    @torch.no_grad()
    def start_from(self, trained: SingleInstrumentEncoder, prototype: Tensor) -> None:
        """Copy a trained encoder's weights and classify by its `prototype [num_instruments, dim]`.

        Raises TrainingError if the recipe's network cannot grow from the trained one.
        """
        try:
            self.encoder.grow_from(trained)
        except RuntimeError as error:
            raise TrainingError("the encoder to start from is another network than the recipe's") from error
        self.classifier.weight.copy_(prototype)


def classification_losses(logits: Tensor, instrument: Tensor, config: SingleLossConfig) -> Losses:
    """Return the cross-entropy of `logits [batch, num_instruments]` and the top-1 accuracy.

    The margin is subtracted from the true instrument's logit (Wang et al. 2018).
    """
    true = functional.one_hot(instrument, logits.shape[1])
    value = functional.cross_entropy(
        logits - config.scale * config.margin * true, instrument, label_smoothing=config.label_smoothing
    )
    return {"loss": value, "top1": (logits.argmax(dim=1) == instrument).float().mean()}


def add_family_loss(losses: Losses, logits: Tensor, family: Tensor, weight: float) -> Losses:
    """Add the weighted cross-entropy of `logits [batch, num_families]` over the clips whose `family [batch]` is known."""
    known = family != UNKNOWN
    value = functional.cross_entropy(logits[known], family[known], reduction="sum") / known.sum().clamp(min=1)
    right = (logits[known].argmax(dim=1) == family[known]).float().sum() / known.sum().clamp(min=1)
    return {**losses, "loss": losses["loss"] + weight * value, "family": value, "family_top1": right}


def random_shift(wave: Tensor, generator: torch.Generator) -> Tensor:
    """Roll the whole batch by one random number of samples, so that onsets fall anywhere in a frame."""
    return wave.roll(int(torch.randint(wave.shape[1], (1,), generator=generator)), dims=1)


def open_clips(run: TrainingRun, store: ClipStore, encoder: SingleInstrumentEncoder) -> DrawClips:
    """Return a function that draws a batch: from samples with the recipe's effects, or from mel power, as the recipe says.

    Raises TrainingError for a recipe of the mel domain with `[effects.mixture]`.
    """
    recipe = run.recipe
    if recipe.mixing.domain == "mel":
        mixer = open_mel_mixer(recipe, RandomMixtureSampler(store, 1, 1, 0.0), store, run.out / MEL_FILE)

        def from_mel(number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
            batch = mixer.draw(number, generator)
            return batch.image, batch.instrument[:, 0]

        return from_mel
    effects = Effects(recipe.effects, recipe.encoder.front_end.sample_rate)
    front_end = encoder.front_end.to(run.device)

    def from_samples(number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        clip = torch.randint(store.num_clips, (number,), generator=generator)
        wave = effects.stems(random_shift(store.take(clip), generator), generator)
        return front_end(wave), store.instrument_of_clip[clip].to(store.device)

    return from_samples


def train(run: TrainingRun) -> Path | None:
    """Train or resume; return the encoder's checkpoint when the recipe is done, None when the time is up."""
    recipe, batch_size = run.recipe, parallel.per_rank_batch(run.recipe.batch_size)
    torch.manual_seed(recipe.seed)

    # Model and data
    store = ClipStore(run.bank, run.device)
    encoder = SingleInstrumentEncoder(recipe.encoder)
    family_of_instrument = store.family.to(run.device)
    classifier = InstrumentClassifier(
        encoder, store.num_instruments, recipe.single, store.num_families if recipe.single.family else 0
    )
    with parallel.main_process_first():
        draw = open_clips(run, store, encoder)
        if run.start is not None:
            trained, _ = load_single(run.start)
            targets = Targets.compute(trained, store, run.out / TARGETS_FILE, file_hash(run.start))
            classifier.start_from(trained, targets.prototype.cpu())
    trainer = Trainer(recipe, classifier, run.device, run.out)
    classify = parallel.data_parallel(classifier)

    # Loss
    def loss(generator: torch.Generator) -> Losses:
        image, instrument = draw(batch_size, generator)
        logits, family_logits = classify(image)
        losses = classification_losses(logits.float(), instrument, recipe.single)
        if not recipe.single.family:
            return losses
        family = family_of_instrument[instrument]
        return add_family_loss(losses, family_logits.float(), family, recipe.single.family)

    # Loop
    trainer.resume()
    if not trainer.run(loss, run.max_seconds):
        return None
    return finish_run(run, encoder, trainer.step)


@cli_errors
def main(argv: list[str] | None = None) -> int:
    options = training_arguments("Train the single-instrument encoder.").parse_args(argv)
    with open_run("single", options) as run:
        report_outcome(run, train(run))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
