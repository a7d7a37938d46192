"""Train an extractor of features by one of the objectives of Taenzer et al. 2021, and keep the weights that validate best.

`showme train attention` does it for the features that it is asked for (`training/recognition/train_attention.py`).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from models.checkpoint import CheckpointHeader, save_checkpoint
from models.recognition.vggish import Vggish
from training import parallel
from training.bank import Bank
from training.loop import Losses, Trainer
from training.nlakh.dataset import TRAIN, VALID
from training.recognition.attention_recipe import ExtractorRecipe
from training.recognition.best_weights import BestWeights
from training.recognition.patches import PatchSampler
from training.recognition.pretext import PretextNetwork, objective_of
from training.recognition.tag_vectors import TagTable
from training.run import git_commit

EXTRACTOR_FILE = "vggish.safetensors"
SCORE = "minus_loss"  # the higher the better
NOISE_SEED = 0  # of validation


@dataclass(frozen=True)
class ExtractorRun:
    """One run: recipe with its objective, banks, the file to write, folder of the run and device.

    `max_seconds` ends the call early with a saved state.
    """

    recipe: ExtractorRecipe
    banks: Sequence[Path]
    path: Path
    out: Path
    device: torch.device
    max_seconds: float | None = None


def write_random(recipe: ExtractorRecipe, path: Path) -> None:
    """Write an extractor that has learned nothing."""
    torch.manual_seed(recipe.seed)
    _save(recipe, Vggish(recipe.network), path, {}, {})


def train(run: ExtractorRun) -> Path | None:
    """Train or resume; return the checkpoint when the run is done, None when the time is up."""
    torch.manual_seed(run.recipe.seed)

    # Data and model
    patches = PatchSampler(
        [Bank.open(folder, TRAIN) for folder in run.banks], run.recipe.clips_per_instrument
    )
    recipe = run.recipe.for_examples(len(patches.trained))
    batch_size = parallel.per_rank_batch(recipe.batch_size)
    held = patches.validation(recipe.batch_size)
    objective = objective_of(recipe.network.objective, TagTable.of(patches.instruments))
    network = PretextNetwork(Vggish(recipe.network), objective)
    trainer = Trainer(recipe, network, run.device, run.out)
    learn = parallel.data_parallel(network)

    # Loss
    def loss(generator: torch.Generator) -> Losses:
        wave, instrument = (one.to(run.device) for one in patches.draw(batch_size, generator))
        return {"loss": learn(network.extractor.log_mel.frames(wave), instrument)}

    # Loop
    best = BestWeights(run.out, by=SCORE)

    def validate(step: int) -> None:
        if step % recipe.validate_every == 0 and parallel.is_main_process():
            value = validation_loss(network, held, run.device)
            better = best.offer(step, network, {VALID: {SCORE: -value}})
            told = f"validation at {step}: loss {value:.4f}"
            print(f"{told}, the best so far" if better else told, flush=True)

    trainer.resume()
    patience = recipe.patience * recipe.validate_every
    if not trainer.run(loss, run.max_seconds, validate, lambda: best.step + patience <= trainer.step):
        return None
    if parallel.is_main_process():
        best.load_into(network)
        counts = {"instruments": len(patches.instruments), "clips": len(patches.trained)}
        record = {"steps": best.step, "banks": [folder.name for folder in run.banks], **counts}
        _save(recipe, network.extractor, run.path, best.metrics, record)
    parallel.broadcast(True)  # the other ranks wait until the file is there
    return run.path


def validation_loss(
    network: PretextNetwork, held: Sequence[tuple[torch.Tensor, torch.Tensor]], device: torch.device
) -> float:
    """The mean loss of validation patches `(waves, instruments)`, with the same noise each time."""
    total, number = 0.0, 0
    network.eval()
    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(NOISE_SEED)
        for wave, instrument in held:
            patch = network.extractor.log_mel.frames(wave.to(device))
            total += float(network(patch, instrument.to(device))) * len(wave)
            number += len(wave)
    network.train()
    return total / number


def _save(
    recipe: ExtractorRecipe,
    extractor: Vggish,
    path: Path,
    metrics: dict[str, float],
    record: dict[str, object],
) -> None:
    training = {"recipe": asdict(recipe), "commit": git_commit(), **record}
    header = CheckpointHeader("vggish", extractor.config.to_dict(), metrics=metrics, training=training)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(extractor, header, path, dtype=torch.float16)
