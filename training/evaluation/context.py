"""The shared inputs of all protocols: the encoders, one held-out split, its library, and mixtures encoded once.

Kim et al. 2022, section 5: 53 held-out instruments; five clips of each are enrolled, the others are queries.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from index.search_space import SearchSpace
from models.encoder_pair import EncoderPair
from training.bank import Bank
from training.config import load_recipe
from training.effects.chain import Effects
from training.evaluation.distractors import DistractorPool, LibraryEntry
from training.evaluation.embeddings import ClipEmbeddings
from training.evaluation.held_out import HeldOut, choose_library
from training.evaluation.mixtures import LabelledMixtures, encode_mixtures, random_mixtures, rendered_mixtures

PAPER_LIBRARY = 53
NUM_ENROLLED = 5
SIZES = (PAPER_LIBRARY, 1_000, 10_000)


@dataclass(frozen=True)
class EvaluationContext:
    """One split and the options of the run. With `sizes` None, the library sizes are those of `SIZES` that the data allow."""

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
        """The paper's library: 53 instruments of the split, or all if it has fewer."""
        size = min(PAPER_LIBRARY, len(self.own.instruments))
        return HeldOut(self.own.bank, choose_library(self.own.bank, size, self.seed), NUM_ENROLLED)

    @cached_property
    def whole_split(self) -> HeldOut:
        """All instruments of the split."""
        return HeldOut(self.own.bank, tuple(range(len(self.own.instruments))), NUM_ENROLLED)

    @cached_property
    def distractors(self) -> DistractorPool:
        return DistractorPool(self.own, self.held.chosen, self.others, NUM_ENROLLED, self.seed)

    @property
    def library_sizes(self) -> tuple[int, ...]:
        """The given `sizes`; else the paper's library and all larger `SIZES` that the data allow, or the largest possible."""
        if self.sizes is not None:
            return tuple(sorted(set(self.sizes)))
        least = len(self.held.chosen)
        possible = [size for size in SIZES if least < size <= len(self.distractors)]
        return tuple(sorted({least, *(possible or [len(self.distractors)])}))

    @property
    def held_space(self) -> SearchSpace:
        """The paper's library as the service searches it, `NUM_ENROLLED` clips enrolled each."""
        return self.space_of(self.held)

    def space_of(self, held: HeldOut, num_clips: int = NUM_ENROLLED) -> SearchSpace:
        """The chosen instruments of the split as a library, `num_clips` clips enrolled each."""
        families = [instrument.family for instrument in held.instruments]
        return SearchSpace.of(self.own.enrolled(held.chosen, num_clips), families, self.pair.family)

    def space(self, entries: Sequence[LibraryEntry]) -> SearchSpace:
        """A library of held-out instruments and distractors."""
        pool = self.distractors
        return SearchSpace.of(pool.embeddings(entries), pool.families(entries), self.pair.family)

    @cached_property
    def effects(self) -> Effects:
        return Effects(load_recipe(self.effects_recipe).effects, self.own.bank.sample_rate)

    @cached_property
    def random(self) -> LabelledMixtures:
        """Random mixtures of 2–9 library instruments, with levels within ±6 dB."""
        return encode_mixtures(self.pair, random_mixtures(self.held, self.num_mixtures, self.seed))

    @cached_property
    def multitrack(self) -> LabelledMixtures | None:
        """The rendered mixtures, None if not given. Raises TrainingError if one of their instruments is not in the library."""
        if self.rendered is None:
            return None
        return encode_mixtures(self.pair, rendered_mixtures(self.held, self.rendered, self.num_mixtures))
