"""Protocol `verify`: is this clip of that instrument? Equal error rates of the single encoder.

Kim et al. 2022, section 5.1, after Shi et al. 2022: five clips enrol, 20 trials of the instrument and 20 of others; averaged
over instruments and pooled. On rendered clips, and on single notes as they were sampled, which is what Shi et al. measured.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from index.sources.opening import open_source
from index.sources.sampled import SampledInstrument
from models.encoder_pair import EncoderPair
from models.errors import TrainingError
from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.context import NUM_ENROLLED, EvaluationContext
from training.evaluation.embeddings import unit
from training.evaluation.metrics import Floats, Values, equal_error_rate, ratio, unit_weights
from training.evaluation.report import ReportRow, Table

NAME = "verify"
NUM_TRIALS = 20  # of the target, and as many of others
MIN_TARGETS = 2
MAX_NOTES = 64  # of an instrument, drawn from those there are


def verification(embeddings: Sequence[Floats], seed: int) -> dict[str, Estimate]:
    """Error rates and nearest-instrument accuracy from each instrument's clips `[clips ≥ 1, dim]`.

    The first five enrol, or all but one where there are fewer than six; an instrument of one clip is tried as another only.
    """
    rng = np.random.default_rng(seed)
    enrolled = [min(NUM_ENROLLED, len(clips) - 1) for clips in embeddings]
    targets = [place for place, number in enumerate(enrolled) if number]
    if len(targets) < MIN_TARGETS:
        message = f"verification needs {MIN_TARGETS} instruments of two clips, {len(targets)} are given"
        raise TrainingError(message, value=len(targets), limit=MIN_TARGETS)
    library = unit(np.stack([embeddings[place][: enrolled[place]].mean(axis=0) for place in targets]))
    rates, trials, nearest = [], [], []
    for row, place in enumerate(targets):
        own = embeddings[place][enrolled[place] :]
        others = rng.choice(np.delete(np.arange(len(embeddings)), place), NUM_TRIALS)
        impostors = np.stack([_one_trial(embeddings[other], enrolled[other], rng) for other in others])
        tried = np.concatenate([own[rng.permutation(len(own))[:NUM_TRIALS]], impostors])
        target = np.arange(len(tried)) < len(tried) - NUM_TRIALS
        trials.append((target, tried @ library[row]))
        rates.append(equal_error_rate(*trials[-1]))
        nearest.append(((own @ library.T).argmax(axis=1) == row).mean())
    pooled = equal_error_rate(*(np.concatenate(column) for column in zip(*trials, strict=True)))

    def measure(weights: Values) -> dict[str, Values]:
        each = unit_weights(len(rates))[0]
        return {
            "eer": ratio(np.array(rates), each, weights),
            "top1": ratio(np.array(nearest), each, weights),
        }

    return estimate(measure, len(rates), seed) | {"eer_pooled": Estimate(pooled)}


def _one_trial(clips: Floats, enrolled: int, rng: np.random.Generator) -> Floats:
    trial: Floats = clips[int(rng.integers(enrolled, len(clips)))]
    return trial


def notes_of(instrument: SampledInstrument, pair: EncoderPair, rng: np.random.Generator) -> Floats:
    """Embeddings of its notes, each padded with silence to a clip: `[notes, dim]`, in random order."""
    notes = list(instrument.sampled_notes(pair.sample_rate))
    chosen = [notes[place] for place in rng.permutation(len(notes))[:MAX_NOTES]]
    clips = np.zeros((len(chosen), pair.clip_samples), np.float32)
    for clip, note in zip(clips, chosen, strict=True):
        clip[: len(note)] = note[: len(clip)]
    return pair.embed(clips) if len(clips) else np.zeros((0, pair.embedding_dim), np.float32)


def single_notes(context: EvaluationContext) -> Iterator[tuple[str, list[Floats]]]:
    """Each source of notes by name, and its notes' embeddings: the split's instruments where it has some.

    A source that knows none of them is taken whole, unless the data set has some of it on another side.
    """
    own = {item.id for item in context.own.instruments}
    known = own | {item.id for view in context.others for item in view.instruments}
    for path in context.notes:
        source = open_source(path)
        sampled = [item for item in source if isinstance(item, SampledInstrument)]
        here = [item for item in sampled if item.id in own]
        if not here and not any(item.id in known for item in sampled):
            here = sampled
        rng = np.random.default_rng(context.seed)
        found = [notes_of(item, context.pair, rng) for item in here]
        yield f"single notes of {source.name}", [notes for notes in found if len(notes)]


def tables(context: EvaluationContext) -> Iterator[Table]:
    """A row for the rendered clips and one for each source of single notes, as far as it has two instruments."""
    clips = context.own.of_instruments(context.everyone.chosen, 0, context.own.bank.clips_per_instrument)
    rows: list[ReportRow] = []
    notes = [] if context.notes else ["single notes: no source of them is given (--notes)"]
    for name, embeddings in [("rendered clips", list(clips)), *single_notes(context)]:
        counts = [len(item) for item in embeddings if len(item) > 1]
        if len(counts) < MIN_TARGETS:
            notes.append(
                f"{name}: {len(counts)} instruments of {context.split} have two, {MIN_TARGETS} are needed"
            )
            continue
        chance = {"eer": Estimate(0.5), "top1": Estimate(1 / len(counts)), "eer_pooled": Estimate(0.5)}
        rows += [
            ReportRow(name, verification(embeddings, context.seed)),
            ReportRow(f"{name} · chance", chance, True),
        ]
        encoded = f"{len(counts)} instruments of {min(counts)} to {max(counts)}"
        notes.append(f"{name}: {encoded}, {min(NUM_ENROLLED, max(counts) - 1)} enrol at most")
    title = "equal error rate of the single encoder"
    yield Table(NAME, context.split, NAME, title, tuple(notes), tuple(rows))
