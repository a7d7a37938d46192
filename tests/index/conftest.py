"""Fixtures of the index tests: a small SoundFont, an empty index, and one with the SoundFont enrolled."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from sqlalchemy import func, select

from index.catalog import Clip, Instrument
from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.sources.soundfont import SoundFontSource
from models.encoder_pair import EncoderPair
from tests.index.fake_source import FakeInstrument, FakeSource
from tests.index.tiny_soundfont import write_soundfont

LIBRARY = "Tiny"


def open_index(folder: Path, pair: EncoderPair) -> InstrumentIndex:
    """Open an index of this pair's encoder in `folder`."""
    index = InstrumentIndex(folder, pair.encoder_hash, pair.embedding_dim)
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


@pytest.fixture(scope="session")
def font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_soundfont(tmp_path_factory.mktemp("font") / "tiny.sf2")


@pytest.fixture
def index(tmp_path: Path, pair: EncoderPair) -> Iterator[InstrumentIndex]:
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
def enrolled(tmp_path: Path, pair: EncoderPair, _enrolled_folder: Path) -> Iterator[InstrumentIndex]:
    """A private index with the seven presets of the small SoundFont in the library `Tiny`."""
    shutil.copytree(_enrolled_folder, tmp_path / "data")
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
