"""Measure the shipped encoders on a fixed phrase and write the figures to golden.json: `python -m tests.models.make_golden`.

The phrase is rendered from the default SoundFont at the encoders' own rate, without decoding or resampling. It
is searched in all 136 presets of the default library, each enrolled with one of its eight clips, which takes a few seconds
instead of a quarter of a minute. Run it again, and say why in the commit, when weights, front end, renderer or retrieval
are meant to change.
"""

import base64
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.query import run_query
from index.retrieval import encode_samples
from index.sources.base import Floats, Note
from index.sources.default import default_soundfont
from index.sources.playing import enrollment_notes
from index.sources.soundfont import SoundFontInstrument, SoundFontSource
from models.encoder_pair import EncoderPair
from models.errors import SourceError

GOLDEN = Path(__file__).with_name("golden.json")
MIXTURE_SECONDS = 7.5
PHRASE = 2  # of the enrollment phrases: a melody in the middle register
TOP_K = 5

# (General MIDI program, velocity, pitches in turn, over the whole mixture); the first is also embedded alone
PARTS = (
    (13, 90, (72, 77, 76, 60, 62, 76, 60, 77, 76, 77)),  # xylophone
    (16, 86, (65, 55, 64, 55, 64, 52, 57, 53)),  # drawbar organ
    (80, 107, (62, 77, 77, 64, 67, 69, 72, 67, 62)),  # square wave
)


@dataclass(frozen=True)
class Golden:
    """The pinned figures. Hits are in the order of the service, by preset name."""

    encoder: str
    part_dbfs: list[float]  # RMS of each part as rendered
    embedding: Floats  # [dim], of the first part alone
    presence: Floats  # [windows, slots], of the mixture; each window's slots in falling order
    num_instruments: int
    hits: list[list[str]]  # five of each slot of the answer
    similarity: list[list[float]]  # of these hits
    ranking: list[str]  # the five most probable instruments of the library
    probability: list[float]  # of these

    def to_json(self) -> str:
        values = {
            "encoder": self.encoder,
            "part_dbfs": [round(level, 4) for level in self.part_dbfs],
            "embedding_float16": base64.b64encode(self.embedding.astype("<f2").tobytes()).decode(),
            "presence": _rounded(self.presence.tolist()),
            "num_instruments": self.num_instruments,
            "hits": self.hits,
            "similarity": _rounded(self.similarity),
            "ranking": self.ranking,
            "probability": [round(value, 4) for value in self.probability],
        }
        return (
            "{\n"
            + ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in values.items())
            + "\n}\n"
        )

    @classmethod
    def from_json(cls, text: str) -> "Golden":
        values = json.loads(text)
        embedding = np.frombuffer(base64.b64decode(values.pop("embedding_float16")), "<f2")
        presence = np.array(values.pop("presence"), np.float32)
        return cls(embedding=embedding.astype(np.float32), presence=presence, **values)


def _rounded(rows: list[list[float]]) -> list[list[float]]:
    return [[round(value, 4) for value in row] for row in rows]


def render_parts(source: SoundFontSource, sample_rate: int) -> list[Floats]:
    """Render each part as mono `[samples]`."""
    parts = []
    for program, velocity, pitches in PARTS:
        step = MIXTURE_SECONDS / len(pitches)
        notes = [
            Note(pitch, velocity, place * step, (place + 0.9) * step) for place, pitch in enumerate(pitches)
        ]
        parts.append(source.player(sample_rate).play(0, program, notes, MIXTURE_SECONDS))
    return parts


class OneClipInstrument:
    """A preset that is enrolled with one clip and no preview."""

    faults: tuple[tuple[str, str], ...] = ()

    def __init__(self, preset: SoundFontInstrument) -> None:
        self._preset = preset
        self.id, self.name, self.family = preset.id, preset.name, preset.family
        self.source, self.licence, self.playable_range = preset.source, preset.licence, preset.playable_range

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        seconds = clip_samples / sample_rate
        notes = enrollment_notes(self._preset, seconds)[PHRASE]
        return self._preset.play(notes, seconds, sample_rate)[None]

    def preview(self) -> tuple[Floats, int]:
        raise SourceError("previews are left out here")


class OneClipSource:
    """A SoundFont's presets as `OneClipInstrument`s."""

    faults: tuple[tuple[str, str], ...] = ()

    def __init__(self, source: SoundFontSource) -> None:
        self._source = source
        self.name, self.files = source.name, source.files

    def __len__(self) -> int:
        return len(self._source)

    def __iter__(self) -> Iterator[OneClipInstrument]:
        return map(OneClipInstrument, self._source)

    def get(self, key: str) -> OneClipInstrument:
        return OneClipInstrument(self._source.get(key))


def measure(folder: Path) -> Golden:
    """Measure this checkout on the CPU, with an index in the empty folder `folder`."""
    pair = EncoderPair.load(device="cpu")
    source = SoundFontSource(default_soundfont(), banks={0})
    parts = render_parts(source, pair.sample_rate)
    rms = [float(np.sqrt(np.mean(part**2))) for part in parts]
    equally_loud = [part / level for part, level in zip(parts, rms, strict=True)]
    mixture = np.asarray(np.sum(equally_loud, axis=0) / 10, np.float32)
    presence = encode_samples(pair, mixture)[0].presence
    index = InstrumentIndex(folder, pair.encoder_hash, pair.embedding_dim)
    index.open()
    try:
        enroll(index, pair, index.libraries.create("Default").id, OneClipSource(source))
        result, _ = run_query(index, pair, mixture, library="Default", top_k=TOP_K)
    finally:
        index.close()
    return Golden(
        encoder=pair.encoder_hash,
        part_dbfs=(20 * np.log10(rms)).tolist(),
        embedding=pair.embed(parts[0][None, : pair.clip_samples])[0],
        presence=-np.sort(-presence, axis=1),
        num_instruments=result.num_instruments,
        hits=[[hit.name for hit in slot.hits] for slot in result.slots],
        similarity=[[hit.similarity for hit in slot.hits] for slot in result.slots],
        ranking=[one.hit.name for one in result.instruments[:TOP_K]],
        probability=[one.probability for one in result.instruments[:TOP_K]],
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="showme-golden-") as folder:
        golden = measure(Path(folder))
    GOLDEN.write_text(golden.to_json())
    print(golden.to_json(), end="")


if __name__ == "__main__":
    main()
