"""The recipes of attention recognition: one for the extractors of features, one for the heads that hear them.

`training/configs/recognition/extractor.toml` and `attention.toml` are the defaults; Taenzer et al. 2021, sections 4.1 and 4.2.
In both, `steps` and `validate_every` are set from the data: every epoch is validated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

from models.recognition.attention import AttentionConfig
from models.recognition.vggish import VggishConfig
from training.recognition.recipe import Build, RecogniserRecipe

EXTRACTOR_RECIPE, ATTENTION_RECIPE = Path("recognition/extractor"), Path("recognition/attention")


@dataclass(frozen=True, kw_only=True)
class EpochRecipe(RecogniserRecipe):
    """A run that is counted in epochs."""

    COUNTS: ClassVar[tuple[str, ...]] = (*RecogniserRecipe.COUNTS, "epochs")

    epochs: int
    steps: int = 1

    def for_examples(self, number: int) -> Self:
        """The recipe with the steps of its epochs of `number` examples each."""
        each = max(1, number // self.batch_size)
        return replace(self, steps=self.epochs * each, validate_every=each)


@dataclass(frozen=True, kw_only=True)
class ExtractorRecipe(EpochRecipe):
    """Everything that defines a pre-training except its data; it ends after `patience` epochs without a better validation.

    The last of the `clips_per_instrument` of each instrument validates.
    """

    SECTIONS: ClassVar[Mapping[str, Build]] = {
        **RecogniserRecipe.SECTIONS,
        "network": lambda values: VggishConfig(**values),
    }
    COUNTS: ClassVar[tuple[str, ...]] = (*EpochRecipe.COUNTS, "patience", "clips_per_instrument")

    patience: int = 5
    clips_per_instrument: int = 24
    network: VggishConfig = field(default_factory=VggishConfig)


@dataclass(frozen=True, kw_only=True)
class AttentionRecipe(EpochRecipe):
    """Everything that defines a head's run except its data; classes and features of `network` come from them."""

    SECTIONS: ClassVar[Mapping[str, Build]] = {
        **RecogniserRecipe.SECTIONS,
        "network": AttentionConfig.from_dict,
    }

    network: AttentionConfig = field(default_factory=AttentionConfig)
