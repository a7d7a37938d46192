"""Write random mixtures of a recipe as WAV files for listening, with a JSON file that lists their contents.

`python -m training.listen --bank DIR --config NAME --out DIR --mixtures N --seed S`; the level is the front end's.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import soundfile as sf
import torch
from torch import Tensor

from models.errors import TrainingError
from models.front_end import FrontEndConfig
from training.bank import Bank
from training.clip_store import ClipSource, ClipStore
from training.commands import cli_errors
from training.config import Recipe, load_recipe
from training.effects.chain import Effects
from training.mixing import Mixer, MixtureBatch
from training.nlakh.dataset import TRAIN

CONTENT_FILE = "mixtures.json"


def mixture_content(batch: MixtureBatch, row: int, bank: ClipSource) -> dict[str, Any]:
    """Return the instruments of one mixture with their clips, gains and effects, and the effects on the whole mixture."""
    stems = []
    for number, (mixture, stem) in enumerate(batch.mask.nonzero().tolist()):
        if mixture == row:
            instrument = bank.instruments[int(batch.instrument[row, stem])]
            stems.append(
                {
                    "id": instrument.id,
                    "name": instrument.name,
                    "family": instrument.family,
                    "clip": int(batch.clip[row, stem]),
                    "gain_db": round(float(batch.gain_db[row, stem]), 2),
                    "effects": batch.stem_effects.describe(number) if batch.stem_effects else {},
                }
            )
    effects = batch.mixture_effects.describe(row) if batch.mixture_effects else {}
    return {"instruments": stems, "effects": effects}


def at_front_end_level(wave: Tensor, config: FrontEndConfig) -> Tensor:
    """Scale one mixture `[samples]` to the front end's level, or lower if it would clip."""
    rms, peak = wave.square().mean().sqrt(), wave.abs().amax()
    return wave * min(
        config.target_rms / max(float(rms), config.silence_rms), 0.99 / max(float(peak), config.silence_rms)
    )


def write_mixtures(recipe: Recipe, bank: ClipSource, out: Path, number: int, seed: int) -> Path:
    """Write mixtures `001.wav` … and the list of their contents; return the list's path."""
    front_end, mixing = recipe.encoder.front_end, recipe.mixing
    effects = Effects(recipe.effects, front_end.sample_rate)
    store = ClipStore(bank, torch.device("cpu"))
    mixer = Mixer(store, mixing.min_instruments, mixing.max_instruments, mixing.gain_db, effects)
    batch = mixer.draw(number, torch.Generator().manual_seed(seed))
    out.mkdir(parents=True, exist_ok=True)
    content = {}
    for row in range(number):
        name = f"{row + 1:03d}.wav"
        sf.write(
            out / name,
            at_front_end_level(batch.wave[row], front_end).numpy(),
            front_end.sample_rate,
            subtype="PCM_16",
        )
        content[name] = mixture_content(batch, row, bank)
    (out / CONTENT_FILE).write_text(json.dumps(content, indent=1))
    return out / CONTENT_FILE


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Write random mixtures as WAV files, as the multi encoder hears them in training."
    )
    parser.add_argument("--bank", type=Path, required=True, help="Nlakh-single, in either layout")
    parser.add_argument("--split", default=TRAIN, help="split of the data set")
    parser.add_argument(
        "--config", type=Path, required=True, help="a TOML file, or the name of a recipe in training/configs"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--mixtures", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    if options.mixtures < 1:
        raise TrainingError(
            f"--mixtures is {options.mixtures}; it must be at least 1", value=options.mixtures, limit=1
        )
    bank = Bank.open(options.bank, options.split)
    print(
        f"wrote {write_mixtures(load_recipe(options.config), bank, options.out, options.mixtures, options.seed)}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
