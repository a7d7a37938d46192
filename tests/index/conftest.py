"""Fixtures of the index tests: a small SoundFont, an empty index, one with the SoundFont enrolled, and an upgraded one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from sqlalchemy import func, select, update

from index.catalog import Clip, Instrument
from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.sources.opening import open_source
from index.sources.soundfont import SoundFontSource
from index.stored_embeddings import from_bytes
from models.encoder_pair import EncoderPair, Floats
from tests.databases import catalogue_at, move_rows
from tests.encoders import random_pair_of
from tests.index.fake_source import FakeInstrument, FakeSource
from tests.index.tiny_soundfont import write_soundfont

LIBRARY = "Tiny"
NAMES = ("Bass", "Flute", "Lead", "Organ")  # of the library that an upgrade leaves stale


class CountingPair(EncoderPair):
    """Counts the instruments that it embeds."""

    count = 0

    def embed(self, clips: Floats) -> Floats:
        self.count += 1
        return super().embed(clips)


def open_index(folder: Path, pair: EncoderPair) -> InstrumentIndex:
    """Open an index of this pair's encoder in `folder`."""
    index = InstrumentIndex(folder, pair.encoder_hash, pair.embedding_dim, catalogue=catalogue_at(folder))
    index.open()
    return index


def vector_file(index: InstrumentIndex) -> Path:
    """The cache file of the library `Tiny`."""
    return index.vectors.file(index.libraries.get(LIBRARY).id)


def state_of(index: InstrumentIndex) -> tuple[object, ...]:
    """Return all state that an enrollment changes."""
    with index.catalog.session() as session:
        counts = [session.scalar(select(func.count()).select_from(table)) for table in (Instrument, Clip)]
    files = sorted(str(path.relative_to(index.folder.root)) for path in index.folder.root.glob("[!s]*/**/*"))
    return *counts, files, index.libraries.all()


def write_tone(
    path: Path, hz: float, seconds: float = 1.0, sample_rate: int = 16_000, level: float = 0.3
) -> Path:
    """Write a sine to `path`, in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    sf.write(path, (level * np.sin(2 * np.pi * hz * time)).astype(np.float32), sample_rate)
    return path


def embeddings(index: InstrumentIndex) -> dict[str, np.ndarray]:
    """The mean and the clips of each instrument `[1 + clips, dim]`, by its name in its source."""
    with index.catalog.session() as session:
        found = {}
        for row in session.scalars(select(Instrument)):
            clips = session.scalars(
                select(Clip.embedding).where(Clip.vector_id == row.vector_id).order_by(Clip.position)
            )
            found[str(row.source_name)] = np.stack([from_bytes(row.embedding), *map(from_bytes, clips)])
    return found


def forget_sources(index: InstrumentIndex) -> None:
    """Make the rows as versions did that recorded no paths."""
    with index.catalog.write() as session:
        session.execute(update(Instrument).values(source_path=None, source_key=None))


def delete_for_good(index: InstrumentIndex) -> None:
    """Delete the library `Tiny` and purge it at once."""
    index.libraries.undo_seconds = 0.0
    index.libraries.delete(LIBRARY)


def names_found(index: InstrumentIndex) -> set[str]:
    query = np.ones((1, index.embedding_dim), np.float32)
    return {hit.name for hit in index.searchable(LIBRARY).search(query, 99)[0]}


def by_name(index: InstrumentIndex) -> dict[str, str]:
    return {row.name: row.id for row in index.instruments.page(LIBRARY)[0]}


@pytest.fixture(scope="session")
def font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_soundfont(tmp_path_factory.mktemp("font") / "tiny.sf2")


@pytest.fixture
def index(tmp_path: Path, pair: EncoderPair, database: str | None) -> Iterator[InstrumentIndex]:
    opened = open_index(tmp_path / "data", pair)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def _enrolled_folder(tmp_path_factory: pytest.TempPathFactory, font: Path, pair: EncoderPair) -> Path:
    folder = tmp_path_factory.mktemp("enrolled")
    index = open_index(folder, pair)
    enroll(index, pair, index.libraries.create(LIBRARY).id, SoundFontSource(font))
    index.close()
    return folder


@pytest.fixture
def enrolled(
    tmp_path: Path, pair: EncoderPair, _enrolled_folder: Path, database: str | None
) -> Iterator[InstrumentIndex]:
    """A private index with the seven presets of the small SoundFont in the library `Tiny`."""
    move_rows(Path(shutil.copytree(_enrolled_folder, tmp_path / "data")))
    opened = open_index(tmp_path / "data", pair)
    yield opened
    opened.close()


@pytest.fixture
def queries(pair: EncoderPair, rng: np.random.Generator) -> np.ndarray:
    """Three unit vectors."""
    vectors = rng.standard_normal((3, pair.embedding_dim)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@pytest.fixture
def few() -> FakeSource:
    """Three instruments that enrol quickly."""
    return FakeSource(
        FakeInstrument("Pure", 300), FakeInstrument("Low", 100, family="bass"), FakeInstrument("High", 2000)
    )


@pytest.fixture(scope="session")
def _enrolled_tones(tmp_path_factory: pytest.TempPathFactory, pair: EncoderPair) -> Path:
    folder = tmp_path_factory.mktemp("tones")
    for number, name in enumerate(NAMES, 1):
        write_tone(folder / "samples" / f"{name}.wav", 150.0 * number)
    index, samples = open_index(folder / "data", pair), folder / "samples"
    enroll(index, pair, index.libraries.create(LIBRARY).id, open_source(samples), opened_at=samples)
    index.close()
    return folder


@pytest.fixture
def samples(tmp_path: Path, _enrolled_tones: Path, database: str | None) -> Path:
    """A folder of four tones, with a data folder beside it."""
    shutil.copytree(_enrolled_tones, tmp_path, dirs_exist_ok=True)
    move_rows(tmp_path / "data")
    return tmp_path / "samples"


@pytest.fixture
def old(tmp_path: Path, samples: Path, pair: EncoderPair) -> Iterator[InstrumentIndex]:
    """An index whose library holds the tones, embedded by the old encoder."""
    index = open_index(tmp_path / "data", pair)
    with index.catalog.write() as session:
        session.execute(update(Instrument).values(source_path=str(samples)))
    yield index
    index.close()


@pytest.fixture
def newer() -> CountingPair:
    """The encoder of an upgrade."""
    made = random_pair_of(CountingPair, seed=1)
    made.count = 0
    return made


@pytest.fixture
def new(old: InstrumentIndex, newer: CountingPair) -> Iterator[InstrumentIndex]:
    """The same data folder, opened by the upgraded program."""
    index = open_index(old.folder.root, newer)
    yield index
    index.close()
