"""A small library and a few MIDI files for the rendering tests."""

from pathlib import Path

import pytest

from tests.training.nlakh.tiny_sets import render
from tests.training.tiny_notes import slots, write_instrument, write_midi

FAMILIES = ("bass", "flute", "organ", "string")
PROGRAMS = {"bass": 33, "flute": 73, "organ": 19, "string": 48}


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A note bank of three instruments of each of four families."""
    folder = tmp_path_factory.mktemp("notes")
    for place, family in enumerate(FAMILIES):
        for number in range(3):
            overtones = (1, 0.2 * place, 0.3 * number)
            write_instrument(folder, f"{family}_{number}", "zyn", slots(overtones), family=family)
    return folder


@pytest.fixture(scope="session")
def midi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty files of four tracks; some are held out by the hash of their names."""
    folder = tmp_path_factory.mktemp("midi")
    for number in range(20):
        tracks = [
            (channel, program, [(45 + (7 * i + number) % 24, 0.4 * i, 0.4 * i + 0.5) for i in range(40)])
            for channel, program in enumerate(PROGRAMS.values())
        ]
        write_midi(folder / f"{number}.mid", tracks)
    return folder


@pytest.fixture(scope="session")
def single(notes: Path, midi: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "single"
    render(notes, midi, out, layout="folders")
    return out
