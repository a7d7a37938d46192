"""What every protocol measures with: the encoders, one held-out split, its library, and mixtures heard once for all.

Kim et al. 2022, section 5: 53 held-out instruments, five clips enrol each, the others are queries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from models.encoder_pair import EncoderPair
from training.bank import Bank
from training.config import load_recipe
from training.effects.chain import Effects
from training.evaluation.distractors import DistractorPool
from training.evaluation.embeddings import ClipEmbeddings
from training.evaluation.held_out import HeldOut, choose_library
from training.evaluation.mixtures import LabelledMixtures, encode_labelled, random_mixtures, rendered_mixtures

PAPER_LIBRARY = 53
NUM_ENROLLED = 5
SIZES = (PAPER_LIBRARY, 1_000, 10_000)


@dataclass(frozen=True)
class EvaluationContext:
    """One split, and what is asked of it. `sizes` None means those of `SIZES` that the data allow."""

    pair: EncoderPair
    own: ClipEmbeddings
    others: Sequence[ClipEmbeddings] = ()
    rendered: Bank | None = None
    notes: Sequence[Path] = ()
    num_mixtures: int = 1_000
    sizes: Sequence[int] | None = None
    effects_recipe: Path = Path("ours-multi-effects")
    seed: int = 0

    @property
    def split(self) -> str:
        return self.own.split

    @cached_property
    def held(self) -> HeldOut:
        """The paper's library: 53 of the split's instruments, or all where there are fewer."""
        size = min(PAPER_LIBRARY, len(self.own.instruments))
        return HeldOut(self.own.bank, choose_library(self.own.bank, size, self.seed), NUM_ENROLLED)

    @cached_property
    def everyone(self) -> HeldOut:
        """All instruments of the split."""
        return HeldOut(self.own.bank, tuple(range(len(self.own.instruments))), NUM_ENROLLED)

    @cached_property
    def distractors(self) -> DistractorPool:
        return DistractorPool(self.own, self.held.chosen, self.others, NUM_ENROLLED, self.seed)

    @property
    def library_sizes(self) -> tuple[int, ...]:
        """The asked-for ones, else those of `SIZES` there are instruments for; all of them where only the first is."""
        if self.sizes is not None:
            return tuple(sorted(set(self.sizes)))
        least = len(self.held.chosen)
        possible = [size for size in SIZES if least < size <= len(self.distractors)]
        return tuple(sorted({least, *(possible or [len(self.distractors)])}))

    @cached_property
    def effects(self) -> Effects:
        return Effects(load_recipe(self.effects_recipe).effects, self.own.bank.sample_rate)

    @cached_property
    def random(self) -> LabelledMixtures:
        """Random mixtures of 2–9 of the library's instruments, levels within ±6 dB."""
        return encode_labelled(self.pair, random_mixtures(self.held, self.num_mixtures, self.seed))

    @cached_property
    def multitrack(self) -> LabelledMixtures | None:
        """The rendered mixtures, where there are some. Raises TrainingError when strangers play in them."""
        if self.rendered is None:
            return None
        return encode_labelled(self.pair, rendered_mixtures(self.held, self.rendered, self.num_mixtures))
