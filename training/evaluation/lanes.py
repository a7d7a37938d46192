"""Protocol `lanes`: fifteen seconds as the service answers them, one lane for each instrument it hears.

Kim et al. 2022 measure windows of five seconds; a user counts lanes, and an instrument that is named twice is one too many.
Slots are linked and lanes settled by the service's own code (`models/linking.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models.audio import split_windows
from models.encoder_pair import EncoderPair
from models.linking import link_slots, settled
from training.evaluation.bootstrap import Figure, estimate
from training.evaluation.held_out import HeldOut, to_float
from training.evaluation.metrics import Floats, Values, ratio
from training.evaluation.mixtures import GAIN_DB, MAX_INSTRUMENTS, Places
from training.evaluation.report import Row, Table
from training.evaluation.scoring import hear
from training.evaluation.setting import NUM_ENROLLED, Setting
from training.mixing import active_rms

NAME = "lanes"
NUMBERS = (1, 2, 3, 5)  # of instruments
CLIPS = 3  # of each instrument, one after the other
SHARE = 10  # one passage for so many of the mixtures of other protocols: each has five windows
HITS = 5


@dataclass(frozen=True)
class Answer:
    """The lanes of one passage: the library's places of each one's first hits, `hits [lanes, 5]`, and who plays."""

    hits: Places
    playing: Places

    @property
    def figures(self) -> tuple[int, int, int, int]:
        """Instruments found first and in five, instruments that play, lanes; an instrument counts once."""
        first, five = np.unique(self.hits[:, :1]), np.unique(self.hits)
        found = [int(np.isin(self.playing, places).sum()) for places in (first, five)]
        return found[0], found[1], len(self.playing), len(self.hits)


def passages(held: HeldOut, number: int, count: int, seed: int) -> Iterator[tuple[Floats, Places]]:
    """`count` passages `wave [samples]` of `number` instruments each, within ±6 dB, and who plays `[number]`."""
    rng = np.random.default_rng([seed, number])
    for _ in range(count):
        playing = rng.choice(len(held.chosen), number, replace=False)
        chosen = rng.permuted(np.tile(np.arange(held.clips_per_instrument), (number, 1)), axis=1)[:, :CLIPS]
        rows = (playing[:, None] * held.clips_per_instrument + chosen).ravel()
        stems = torch.from_numpy(to_float(held.rows(rows)).reshape(number, -1))
        gain = torch.from_numpy(10 ** (rng.uniform(-GAIN_DB, GAIN_DB, (number, 1)) / 20)).float()
        yield (stems * gain / active_rms(stems).clamp(min=1e-5)).sum(dim=0).numpy(), playing


def answer(pair: EncoderPair, wave: Floats, playing: Places, library: Floats) -> Answer:
    """As `POST /v1/queries` would answer in its default mode."""
    windows, _ = split_windows(wave, clip_samples=pair.clip_samples, hop_samples=pair.clip_samples // 2)
    heard = hear(pair, windows)
    linked = link_slots(heard.embedding, heard.presence, threshold=pair.presence_threshold)

    def nearest(embedding: Floats) -> list[str]:
        return [str(place) for place in (embedding @ library.T).argmax(axis=1)]

    lanes = [lane.embedding for lane in settled(linked, nearest)]
    cosine = np.array(lanes, np.float32).reshape(-1, library.shape[1]) @ library.T
    return Answer(np.argsort(-cosine, axis=1, kind="stable")[:, :HITS], playing)


def guess(playing: Places, num_instruments: int, rng: np.random.Generator) -> Answer:
    """Blind: between one lane and nine, each with instruments drawn at random, no two with the same first."""
    most = min(MAX_INSTRUMENTS, num_instruments)
    first = rng.choice(num_instruments, rng.integers(1, most + 1), replace=False)
    rows = [
        np.append(place, rng.choice(np.delete(np.arange(num_instruments), place), HITS - 1))
        for place in first
    ]
    return Answer(np.stack(rows), playing)


def figures(answers: Sequence[Answer], seed: int) -> dict[str, Figure]:
    """Shares of the instruments found, of the lanes that name one, and the mean error in the number of lanes."""
    first, five, playing, lanes = np.array([one.figures for one in answers]).T

    def measure(weights: Values) -> dict[str, Values]:
        return {
            "lane_1": ratio(first, playing, weights),
            "lane_5": ratio(five, playing, weights),
            "lane_right": ratio(first, lanes, weights),
            "count_error": ratio(np.abs(lanes - playing), np.ones(len(lanes)), weights),
        }

    return estimate(measure, len(answers), seed)


def tables(setting: Setting) -> Iterator[Table]:
    """One table, a row for each number of instruments."""
    held = setting.held
    library = setting.own.enrolled(held.chosen, NUM_ENROLLED)
    count = max(2, setting.num_mixtures // SHARE)
    rng = np.random.default_rng(setting.seed)
    rows = []
    for number in (number for number in NUMBERS if number <= len(held.chosen)):
        asked = list(passages(held, number, count, setting.seed))
        blind = [guess(playing, len(library), rng) for _, playing in asked]
        heard = [answer(setting.pair, wave, playing, library) for wave, playing in asked]
        name = f"{number} instrument{'s' * (number > 1)}"
        rows += [Row(name, figures(heard, setting.seed))]
        rows += [Row(f"{name} · chance", figures(blind, setting.seed), True)]
    seconds = CLIPS * held.clip_samples / setting.pair.sample_rate
    note = (
        f"{count} passages a row of {seconds:g} s, library of {len(library)} from {NUM_ENROLLED} clips each"
    )
    title = "lanes of longer audio, as the service answers"
    yield Table(
        NAME, setting.split, NAME, title, (note, "chance: 1–9 lanes of random instruments"), tuple(rows)
    )
