"""Train an attention head on features of labelled clips, and keep the weights that validate best (Gururani et al. 2019).

`showme train attention` does it for the features and seeds that it is asked for (`training/recognition/train_attention.py`).
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.checkpoint import CheckpointHeader, save_checkpoint
from models.recognition.attention import AttentionHead
from training import parallel
from training.loop import Losses, Trainer
from training.nlakh.dataset import VALID
from training.recognition.attention_recipe import AttentionRecipe
from training.recognition.attention_scores import macro_f1
from training.recognition.best_weights import MACRO_F1, BestWeights
from training.recognition.weak_clips import Floats
from training.recognition.weak_features import WeakFeatures
from training.run import git_commit

ATTENTION_FILE = "attention.safetensors"
CLIPS_AT_ONCE = 1_024
PROBABILITY_FLOOR = 1e-7  # in the logarithm of the loss


@dataclass(frozen=True)
class HeadRun:
    """One run: recipe with its seed, features of both sides, folder and device; `max_seconds` ends the call early."""

    recipe: AttentionRecipe
    train: WeakFeatures
    valid: WeakFeatures
    out: Path
    device: torch.device
    max_seconds: float | None = None


def masked_cross_entropy(probability: Tensor, truth: Tensor, is_labelled: Tensor) -> Tensor:
    """The mean binary cross-entropy over the labelled entries of `[clips, classes]`; 0 without any."""
    share = probability.float().clamp(PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    entropy = -torch.where(truth, share.log(), (1 - share).log())
    return (entropy * is_labelled).sum() / is_labelled.sum().clamp(min=1)


def train(run: HeadRun) -> Path | None:
    """Train or resume a head; return the checkpoint when the recipe is done, None when the time is up."""
    recipe, data = run.recipe.for_examples(len(run.train.values)), run.train
    batch_size = parallel.per_rank_batch(recipe.batch_size)
    torch.manual_seed(recipe.seed)

    # Data and model
    network = AttentionHead(recipe.network)
    values, truth, is_labelled = (
        torch.from_numpy(one) for one in (data.values, data.truth, data.is_labelled)
    )
    network.scale_by(values.amin(dim=(0, 1)), values.amax(dim=(0, 1)))
    trainer = Trainer(recipe, network, run.device, run.out)
    classify = parallel.data_parallel(network)

    # Loss
    def loss(generator: torch.Generator) -> Losses:
        drawn = torch.randint(len(values), (batch_size,), generator=generator)
        heard, plays, known = (one[drawn].to(run.device) for one in (values, truth, is_labelled))
        return {"loss": masked_cross_entropy(classify(heard), plays, known)}

    # Loop
    best = BestWeights(run.out)

    def validate(step: int) -> None:
        if step % recipe.validate_every == 0 and parallel.is_main_process():
            told = predicted(network, run.valid.values)
            score = macro_f1(told, run.valid.truth, run.valid.is_labelled)
            if best.offer(step, network, {VALID: {MACRO_F1: score}}):
                print(f"validation at {step}: macro F1 {score:.3f}, the best so far", flush=True)

    trainer.resume()
    if not trainer.run(loss, run.max_seconds, validate):
        return None
    path = run.out / ATTENTION_FILE
    if parallel.is_main_process():
        best.load_into(network)
        record = {
            "recipe": asdict(recipe),
            "steps": best.step,
            "clips": len(values),
            "labelled": int(data.is_labelled.sum()),
            "commit": git_commit(),
        }
        header = CheckpointHeader(
            "attention", network.config.to_dict(), metrics=best.metrics, training=record
        )
        save_checkpoint(network, header, path)
    parallel.broadcast(True)  # the other ranks wait until the file is there
    return path


def predicted(network: AttentionHead, values: Floats) -> Floats:
    """The probabilities of clips, `values [clips, steps, dimensions]` → `[clips, classes]`, in evaluation mode."""
    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    with torch.inference_mode():
        parts = [network(part.to(device)).cpu() for part in torch.from_numpy(values).split(CLIPS_AT_ONCE)]
    network.train(was_training)
    found: Floats = torch.cat(parts).numpy()
    return found
