"""Compares our renderer with a plain implementation of the paper's method on the same phrases and notes.

The plain twin follows section 4 of Kim et al. 2022: it reads every note of a phrase from NSynth's wav with librosa, cuts it to
its length, adds it, and takes librosa's mel spectrogram in dB with the front end's numbers. Ours is the renderer and `LogMel`
in batches. Both find the files in the page cache; ours also keeps the decoded notes of open instruments.

The twin's audio differs in three ways: notes stop without a release, a missing velocity sounds as the nearest one without
scaling, and clips keep their level. `difference` checks that nothing else differs.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.data_lab import DataLab
from benchmarks.figures import Measurement
from benchmarks.one_core import one_core
from benchmarks.renderers import OpenRenderer
from index.sources.base import Floats, Note, PlayableInstrument
from index.sources.nsynth import AUDIO, EXAMPLES
from index.sources.sampled import CLICK_SAMPLES, RELEASE_SECONDS
from models.front_end import FrontEndConfig, LogMel
from training.nlakh.dataset import Kind
from training.nlakh.instrument_selection import InstrumentCollection
from training.nlakh.rendered import RenderedItem, mix

CLIPS, MIXTURES = 250, 512  # clips per instrument; mixtures
INSTRUMENTS = 11
PLAIN_SHARE = 5  # the twin renders every fifth item
BATCH = 64
FRONT_END = FrontEndConfig()
COMPARED = 40  # phrases rendered both ways


class PlayedPhrase(NamedTuple):
    """A phrase and the id of the instrument that played it."""

    instrument: str
    notes: tuple[Note, ...]


class PhraseRecorder(InstrumentCollection):
    """A library that records the phrases its instruments play."""

    def __init__(self, folder: Path) -> None:
        super().__init__((folder,))
        self.played: list[PlayedPhrase] = []

    def playable(self, key: str) -> PlayableInstrument:
        return cast(PlayableInstrument, _RecordedInstrument(super().playable(key), self.played))

    def take_played(self, count: int) -> tuple[PlayedPhrase, ...]:
        """Take the last phrase of each of the last `count` instruments; forget the others, which were silent."""
        last = {played.instrument: played for played in self.played}
        self.played.clear()
        return tuple(last.values())[-count:]


class _RecordedInstrument:
    """An instrument that appends its phrases to `played`."""

    def __init__(self, instrument: PlayableInstrument, played: list[PlayedPhrase]) -> None:
        self._instrument, self._played = instrument, played

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instrument, name)

    def play(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        self._played.append(PlayedPhrase(self._instrument.id, tuple(notes)))
        return self._instrument.play(notes, seconds, sample_rate)


class PlainRenderer:
    """The plain implementation over one NSynth folder, which must hold every pitch of the phrases."""

    def __init__(self, folder: Path) -> None:
        self._wavs: dict[tuple[str, int], dict[int, Path]] = {}  # (instrument, pitch) → velocity → file
        for name, row in json.loads((folder / EXAMPLES).read_text()).items():
            of_pitch = self._wavs.setdefault((row["instrument_str"], row["pitch"]), {})
            of_pitch[row["velocity"]] = folder / AUDIO / f"{name}.wav"

    def velocity(self, instrument: str, note: Note) -> int:
        """The sampled velocity of the note's pitch that is nearest to the note's."""
        return min(self._wavs[instrument, note.pitch], key=lambda velocity: abs(velocity - note.velocity))

    def wave(self, played: PlayedPhrase) -> Floats:
        """The phrase, [clip_samples]."""
        import librosa

        sample_rate = FRONT_END.sample_rate
        wave = np.zeros(FRONT_END.clip_samples, np.float32)
        for note in played.notes:
            path = self._wavs[played.instrument, note.pitch][self.velocity(played.instrument, note)]
            samples, _ = librosa.load(path, sr=sample_rate)
            start = round(note.start_seconds * sample_rate)
            samples = samples[: round((note.end_seconds - note.start_seconds) * sample_rate)]
            samples = samples[: len(wave) - start]
            wave[start : start + len(samples)] += samples
        return wave

    def mel(self, wave: Floats) -> Floats:
        """The mel spectrogram of `wave` in dB, [n_mels, frames]."""
        import librosa

        power = librosa.feature.melspectrogram(
            y=wave,
            sr=FRONT_END.sample_rate,
            n_fft=FRONT_END.n_fft,
            hop_length=FRONT_END.hop_length,
            n_mels=FRONT_END.n_mels,
            fmin=FRONT_END.min_hz,
            fmax=FRONT_END.max_hz,
            htk=True,
            norm=None,
        )
        return np.asarray(librosa.power_to_db(power), np.float32)


def measure(data: DataLab) -> list[Measurement]:
    return [
        *_compare(data, "single", "clips", CLIPS, most=INSTRUMENTS),
        *_compare(data, "multi", "mixtures", MIXTURES, most=None),
    ]


def _compare(data: DataLab, kind: Kind, unit: str, count: int, *, most: int | None) -> list[Measurement]:
    library, plain = PhraseRecorder(data.nsynth()), PlainRenderer(data.nsynth())
    renderer = OpenRenderer(kind, library, data.midi(), count, most)
    phrases: list[tuple[PlayedPhrase, ...]] = []
    log_mel = LogMel(FRONT_END)
    with one_core() as ours, torch.inference_mode():
        for batch in _batches(renderer.items(), library, phrases):
            log_mel(torch.from_numpy(batch).float().div_(32768.0))
    same = phrases[::PLAIN_SHARE]
    plain.mel(plain.wave(same[0][0]))  # librosa imports its parts on first use
    with one_core() as plainly:
        for played in same:
            plain.mel(np.sum([plain.wave(one) for one in played], axis=0))
    fast, slow = len(phrases) / ours.seconds, len(same) / plainly.seconds
    worst = difference(plain, library, [played[0] for played in same[:: max(1, len(same) // COMPARED)]])
    about = f"Nlakh-{kind} and mel"
    return [
        Measurement(
            f"{about}, plain twin",
            slow,
            f"{unit}/s",
            None,
            f"{len(same)}, a loop over notes with librosa, one core",
        ),
        Measurement(
            f"{about}, ours",
            fast,
            f"{unit}/s",
            None,
            f"{len(phrases)}, these among them, decoded notes kept, one core",
        ),
        Measurement(
            f"{about}, ours over plain",
            fast / slow,
            "times",
            None,
            f"held notes at sampled velocities differ by {worst:.1g}",
        ),
    ]


def _batches(
    items: Iterator[RenderedItem], library: PhraseRecorder, phrases: list[tuple[PlayedPhrase, ...]]
) -> Iterator[NDArray[np.int16]]:
    """Yield mixtures `[BATCH or fewer, clip_samples]`; append the phrases of each mixture to `phrases`."""
    waves = []
    for item in items:
        phrases.append(library.take_played(len(item.stems)))
        waves.append(mix(item.stems))
        if len(waves) == BATCH:
            yield np.stack(waves)
            waves = []
    if waves:
        yield np.stack(waves)


def difference(plain: PlainRenderer, library: InstrumentCollection, phrases: Sequence[PlayedPhrase]) -> float:
    """Largest absolute difference between our samples and the plain ones, outside note releases."""
    worst = 0.0
    for played in phrases:
        notes = tuple(
            replace(note, velocity=plain.velocity(played.instrument, note)) for note in played.notes
        )
        instrument = library.playable(played.instrument)
        ours = instrument.play(notes, FRONT_END.clip_seconds, FRONT_END.sample_rate)
        apart = np.abs(ours - plain.wave(PlayedPhrase(played.instrument, notes)))
        worst = max(worst, float(apart[_is_held(notes)].max(initial=0.0)))
    return worst


def _is_held(notes: Sequence[Note]) -> NDArray[np.bool_]:
    """True where neither a note's release nor the faded end of its 4 s sample sounds, [clip_samples]."""
    held = np.ones(FRONT_END.clip_samples, bool)
    release = round(RELEASE_SECONDS[1] * FRONT_END.sample_rate)
    for note in notes:
        start, end = (round(s * FRONT_END.sample_rate) for s in (note.start_seconds, note.end_seconds))
        sample_end = start + 4 * FRONT_END.sample_rate
        held[end - 1 : end + release] = False
        held[sample_end - CLICK_SAMPLES : sample_end] = False
    return held
