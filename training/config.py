"""Training recipes: frozen dataclasses read from TOML, with typed overrides from the command line.

`configs/` holds the paper's recipes (Kim et al. 2022, section 5), ours, and a tiny one for the tests; `configs/shipped/` holds
the stages of the shipped weights. A saved run resumes only if its recipe is equal field by field; fields that are newer than
the run count with their defaults.
"""

import json
import tomllib
from dataclasses import Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self, TypeVar

from models.encoders import EncoderConfig
from models.errors import TrainingError
from training.effects.config import EffectsConfig

CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class OptimizerConfig:
    name: Literal["adam", "adam_l2", "adamw", "muon", "sgd"] = "adamw"
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    schedule: Literal["one_cycle", "constant", "decay"] = "one_cycle"
    warmup_fraction: float = 0.1
    clip_norm: float = 5.0


@dataclass(frozen=True)
class SingleLossConfig:
    """Instrument classification (section 3.1): `linear` as in the paper, or `cosine` with a scale.

    `margin` is subtracted from the true instrument's cosine (Wang et al. 2018), which separates instruments further.
    `family` weighs a second classification, by family, which brings a recorded guitar near the synthetic ones.
    """

    classifier: Literal["linear", "cosine"] = "cosine"
    scale: float = 20.0
    label_smoothing: float = 0.05
    margin: float = 0.0
    family: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.margin < 1 or (self.margin and self.classifier != "cosine"):
            raise ValueError(f"margin {self.margin} must lie in 0…1 and needs the cosine classifier")


@dataclass(frozen=True)
class MultiLossConfig:
    """Weights of the multi encoder's losses (`training/losses.py`). `pit` alone is the paper's recipe (section 3.2).

    `prototype`, `family`, `cell` and `posterior` classify among the training instruments' mean embeddings, at `scale` times the
    cosine.
    """

    pit: float = 1.0
    presence: float = 0.0
    prototype: float = 0.0  # the instrument of each matched slot
    family: float = (
        0.0  # the family of each matched slot, by what all of its instruments have of the prototypes' softmax
    )
    cell: float = 0.0  # present against absent instruments, by a soft maximum over cells; no permutation
    posterior: float = 0.0  # the set of instruments in the mixture, by their posterior; no permutation
    layers: float = 0.0  # the same losses, but that of cells, after each earlier layer of an attention head
    scale: float = 20.0
    num_cells: int = 48  # cells sampled per mixture for the cell loss
    cell_rivals: Literal["all", "batch"] = "all"  # absent instruments in the cell loss


@dataclass(frozen=True)
class MixingConfig:
    """Random mixtures (section 5.2). A curriculum raises the largest size from `first_max_instruments`.

    `domain` says where stems are summed: as samples (`wave`), or as mel power (`mel`), which is much faster. `rendered_share`
    is the share of batches that are drawn from rendered mixtures, where both kinds of data are given. `recorded_share` is the
    share of stems that real recordings play in random mixtures; at 0 every instrument is drawn as often as any other.
    """

    min_instruments: int = 2
    max_instruments: int = 9
    gain_db: float = 6.0
    first_max_instruments: int = 9
    curriculum_steps: int = 0
    domain: Literal["wave", "mel"] = "wave"
    rendered_share: float = 0.0
    recorded_share: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.min_instruments <= self.max_instruments:
            raise ValueError(
                f"mixtures of {self.min_instruments} to {self.max_instruments} instruments are impossible"
            )
        for name in ("rendered_share", "recorded_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 0 and less than 1")
        if (
            self.curriculum_steps
            and not self.min_instruments <= self.first_max_instruments <= self.max_instruments
        ):
            raise ValueError(
                f"first_max_instruments {self.first_max_instruments} is outside the mixtures' range"
            )

    def max_at(self, step: int) -> int:
        """Return the largest number of instruments in a mixture of this training step."""
        if step >= self.curriculum_steps:
            return self.max_instruments
        grown = (self.max_instruments - self.first_max_instruments) * step // self.curriculum_steps
        return self.first_max_instruments + grown


@dataclass(frozen=True)
class MelEffectsConfig:
    """Effects in the mel domain: an equaliser on stems and on their sum, and background noise."""

    equaliser_probability: float = 0.0
    equaliser_db: float = 6.0  # gains are within ± this
    noise_probability: float = 0.0
    noise_snr_db: tuple[float, float] = (20.0, 50.0)


class LoopRecipe(Protocol):
    """The part of a recipe, a frozen dataclass, that the training loop reads (`training/loop.py`)."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def steps(self) -> int: ...

    @property
    def batch_size(self) -> int: ...

    @property
    def seed(self) -> int: ...

    @property
    def precision(self) -> Literal["auto", "float32", "bfloat16"]: ...

    @property
    def log_every(self) -> int: ...

    @property
    def save_every_seconds(self) -> float: ...

    @property
    def optimizer(self) -> OptimizerConfig: ...

    @property
    def examples(self) -> int: ...

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from plain values, as a TOML file or a checkpoint's training record holds them.

        What is missing takes its default. Raises TypeError or ValueError for an unknown key or a value outside its limits.
        """
        ...


AnyRecipe = TypeVar("AnyRecipe", bound=LoopRecipe)


@dataclass(frozen=True)
class Recipe:
    """Everything that defines an encoder's training run except its data."""

    kind: Literal["single", "multi"]
    steps: int
    batch_size: int
    encoder: EncoderConfig
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    log_every: int = 50
    save_every_seconds: float = 120.0
    start_from_single: bool = False  # the multi encoder's backbone starts as the single encoder's
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    single: SingleLossConfig = field(default_factory=SingleLossConfig)
    multi: MultiLossConfig = field(default_factory=MultiLossConfig)
    mixing: MixingConfig = field(default_factory=MixingConfig)
    mel_effects: MelEffectsConfig = field(default_factory=MelEffectsConfig)
    effects: EffectsConfig = field(default_factory=EffectsConfig)

    @property
    def examples(self) -> int:
        """Return the budget: the number of clips or mixtures that the network sees."""
        return self.steps * self.batch_size

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Recipe":
        """Build from plain values, as `LoopRecipe` says."""
        values = dict(values)
        sections = {name: kind(**values.pop(name, {})) for name, kind in SECTIONS.items()}
        encoder = EncoderConfig.from_dict(values.pop("encoder", {}))
        effects = EffectsConfig.from_dict(values.pop("effects", {}))
        return cls(**values, **sections, encoder=encoder, effects=effects)


SECTIONS = {
    "optimizer": OptimizerConfig,
    "single": SingleLossConfig,
    "multi": MultiLossConfig,
    "mixing": MixingConfig,
    "mel_effects": MelEffectsConfig,
}


def load_recipe(path: Path, overrides: list[str] | None = None) -> Recipe:
    """Read an encoder's recipe, as `read_recipe` does."""
    return read_recipe(Recipe, path, overrides)


def read_recipe(kind: type[AnyRecipe], path: Path, overrides: list[str] | None = None) -> AnyRecipe:
    """Read a recipe from a file, or by its name in `configs/`, such as `ours-multi` or `shipped/01-single`.

    `overrides` are `key=value` or `section.key=value` in TOML syntax. Raises TrainingError for an unknown recipe or key
    and for a value outside its limits.
    """
    candidate = path if path.exists() else CONFIGS / f"{path}.toml"
    try:
        values = tomllib.loads(candidate.read_text())
        for override in overrides or []:
            key, _, value = override.partition("=")
            _set_value(values, key.strip().split("."), tomllib.loads(f"value = {value}")["value"])
        return kind.from_dict(values)
    except FileNotFoundError as error:
        known = ", ".join(sorted(file.stem for file in candidate.parent.glob("*.toml")))
        raise TrainingError(f"no recipe {path}; known are {known}", value=str(path), limit=known) from error
    except (TypeError, ValueError, tomllib.TOMLDecodeError) as error:
        allowed = ", ".join(item.name for item in fields(kind))
        raise TrainingError(f"recipe {candidate.name}: {error}", value=str(error), limit=allowed) from error


def same_recipe(recorded: dict[str, Any], recipe: LoopRecipe) -> bool:
    """Whether a recorded recipe is this one; fields that are newer than the record must have their defaults."""
    try:
        return recipe_identity(recipe.from_dict(recorded)) == recipe_identity(recipe)
    except (TypeError, ValueError, TrainingError):
        return False


def recipe_identity(recipe: LoopRecipe) -> str:
    """Return the recipe as text: two recipes are the same if their texts are."""
    return json.dumps(asdict(recipe), sort_keys=True)


def _set_value(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
    values[keys[-1]] = value
