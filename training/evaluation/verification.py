"""Protocol `verify`: equal error rates of the single encoder for the question whether a clip is of an instrument.

Kim et al. 2022, section 5.1, after Shi et al. 2022: five clips are enrolled, then tried with 20 clips of the instrument and 20
of others. Rates are averaged over instruments, and pooled. Clips are rendered phrases, or single sampled notes as in Shi et
al.
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
NUM_TRIALS = 20  # of the target, and of other instruments
MIN_TARGETS = 2
MAX_NOTES = 64  # of an instrument, drawn at random


def verification(embeddings: Sequence[Floats], seed: int) -> dict[str, Estimate]:
    """Return error rates and nearest-instrument accuracy from each instrument's clips `[clips ≥ 1, dim]`.

    The first five clips are enrolled, or all but one if there are fewer than six. An instrument of one clip is only an
    impostor.
    """
    rng = np.random.default_rng(seed)
    enrolled = [min(NUM_ENROLLED, len(clips) - 1) for clips in embeddings]
    targets = [place for place, number in enumerate(enrolled) if number]
    if len(targets) < MIN_TARGETS:
        message = (
            f"verification needs {MIN_TARGETS} instruments with two clips or more, {len(targets)} are given"
        )
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
    """Return embeddings of an instrument's notes, each zero-padded to a clip: `[notes, dim]`, in random order."""
    notes = list(instrument.sampled_notes(pair.sample_rate))
    chosen = [notes[place] for place in rng.permutation(len(notes))[:MAX_NOTES]]
    clips = np.zeros((len(chosen), pair.clip_samples), np.float32)
    for clip, note in zip(clips, chosen, strict=True):
        clip[: len(note)] = note[: len(clip)]
    return pair.embed(clips) if len(clips) else np.zeros((0, pair.embedding_dim), np.float32)


def single_notes(context: EvaluationContext) -> Iterator[tuple[str, list[Floats]]]:
    """Yield the name of each source of notes and the note embeddings of its instruments that belong to the split.

    A source that shares no instrument with any split of the data set is used whole.
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
    """Yield one table: a row for the rendered clips, and one for each source of single notes with two instruments or more."""
    clips = context.own.of_instruments(context.whole_split.chosen, 0, context.own.bank.clips_per_instrument)
    rows: list[ReportRow] = []
    notes = [] if context.notes else ["single notes: no source given (--notes)"]
    for name, embeddings in [("rendered clips", list(clips)), *single_notes(context)]:
        counts = [len(item) for item in embeddings if len(item) > 1]
        if len(counts) < MIN_TARGETS:
            notes.append(
                f"{name}: {len(counts)} instruments of {context.split} have two clips or more, {MIN_TARGETS} are needed"
            )
            continue
        chance = {"eer": Estimate(0.5), "top1": Estimate(1 / len(counts)), "eer_pooled": Estimate(0.5)}
        rows += [
            ReportRow(name, verification(embeddings, context.seed)),
            ReportRow(f"{name} · chance", chance, True),
        ]
        summary = f"{len(counts)} instruments with {min(counts)} to {max(counts)} clips"
        notes.append(f"{name}: {summary}, at most {min(NUM_ENROLLED, max(counts) - 1)} enrolled")
    title = "equal error rate of the single encoder"
    yield Table(NAME, context.split, NAME, title, tuple(notes), tuple(rows))
