"""The part of a recipe that all recognisers share: a frozen dataclass read from TOML, from `training/configs/recognition`.

Each recogniser adds fields of its own, and names in `SECTIONS` those that are tables in the file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from training.config import OptimizerConfig

Build = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, kw_only=True)
class RecogniserRecipe:
    """The part that the training loop reads (`LoopRecipe`), and how often it validates; every count is at least 1."""

    SECTIONS: ClassVar[Mapping[str, Build]] = {"optimizer": lambda values: OptimizerConfig(**values)}
    COUNTS: ClassVar[tuple[str, ...]] = ("steps", "batch_size", "validate_every")

    steps: int
    batch_size: int
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    log_every: int = 50
    save_every_seconds: float = 120.0
    validate_every: int = 250
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        for name in self.COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")

    @property
    def examples(self) -> int:
        """The budget: the number of pieces that the network hears."""
        return self.steps * self.batch_size

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from plain values, as `LoopRecipe` says."""
        values = dict(values)
        sections = {name: build(values.pop(name, {})) for name, build in cls.SECTIONS.items()}
        return cls(**values, **sections)
