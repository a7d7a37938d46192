"""Revision 0005 gives the instruments of earlier catalogues the families that pads and effects have got since."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from sqlalchemy import select

from index.catalog import Catalog, Instrument, Library
from index.families import FAMILIES, family_of_program
from index.migrations import CONNECTION, alembic_config
from index.sources.default import default_soundfont
from index.sources.soundfont import SoundFontSource
from index.stored_embeddings import to_bytes

NEW = ("synth_pad", "effect")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalogue of the newest revision, whose rows the tests take down to 0004 and up again."""
    made = Catalog(tmp_path / "showme.db")
    made.migrate()
    yield made
    made.close()


def downgrade(catalog: Catalog) -> None:
    config = alembic_config()
    with catalog.database.altering() as connection:
        config.attributes[CONNECTION] = connection
        command.downgrade(config, "0004")


def down_and_up(catalog: Catalog) -> None:
    downgrade(catalog)
    catalog.migrate()


def store(catalog: Catalog, rows: dict[str, str], **fields: object) -> None:
    """Store a library with an instrument without a family for each (name, source)."""
    embedding = to_bytes(np.full(4, 0.5, np.float32))
    with catalog.write() as session:
        session.add(library := Library(name=f"Library {len(rows)}", encoder_hash="h"))
        session.flush()
        for name, source in rows.items():
            made = Instrument(
                library_id=library.id,
                name=name,
                source=source,
                num_clips=1,
                encoder_hash="h",
                embedding=embedding,
            )
            for field, value in fields.items():
                setattr(made, field, value)
            session.add(made)


def families(catalog: Catalog) -> dict[str, str | None]:
    with catalog.session() as session:
        return dict(session.execute(select(Instrument.name, Instrument.family)).all())


def test_the_presets_of_a_general_midi_font_get_those_of_their_programs(catalog: Catalog) -> None:
    store(catalog, {f"Preset {program}": f"Any.sf2#0:{program}" for program in range(128)})
    down_and_up(catalog)
    changed = [*range(88, 112), *range(120, 128)]
    assert families(catalog) == {
        f"Preset {program}": family_of_program(program) if program in changed else None
        for program in range(128)
    }


def test_the_default_library_is_as_if_it_were_enrolled_again(catalog: Catalog) -> None:
    presets = list(SoundFontSource(default_soundfont(), banks={0}))
    store(catalog, {preset.name: preset.source for preset in presets})
    with catalog.write() as session:  # as version 0.2.0 enrolled them
        for row in session.scalars(select(Instrument)):
            family = family_of_program(int(row.source.rpartition(":")[2]))
            row.family = None if family in NEW or 104 <= int(row.source.rpartition(":")[2]) < 112 else family
    down_and_up(catalog)
    assert families(catalog) == {preset.name: preset.family for preset in presets}


def test_names_tell_them_elsewhere(catalog: Catalog) -> None:
    expected = {
        "Choir Pad": "synth_pad",
        "RhodesPad1": "synth_pad",
        "another_respad": "synth_pad",
        "FX 7 (echoes)": "synth_pad",
        "Echo Drops": "synth_pad",
        "Guitar Fret Noise": "effect",
        "Gun Shots": "effect",
        "bubblefx": "effect",
        "Taisho Koto": "guitar",
        "Kalimba": "mallet",
        "Bag pipe": "reed",
        "Pad Arpeggio": None,
        "Thunderbird": None,
        "Twerp": None,
    }
    store(catalog, dict.fromkeys(expected, "a/folder") | {"Preset 88": "Few.sf2#0:88"})
    down_and_up(catalog)
    assert families(catalog) == expected | {"Preset 88": None}  # too few presets to be a General MIDI set
    assert set(expected.values()) <= {*FAMILIES, None}


def test_a_correction_and_a_known_family_stay(catalog: Catalog) -> None:
    store(catalog, {"Warm Pad": "Any.sf2#0:89"}, family_corrected=True)
    store(catalog, {"Sweep Pad": "a", "Bird": "b"}, family="flute")
    store(catalog, {"Mine": "a", "Yours": "b", "Noise": "c"}, source_name="Halo Pad", name_corrected=True)
    down_and_up(catalog)
    renamed = dict.fromkeys(["Mine", "Yours", "Noise"], "synth_pad")  # by the name in the source
    assert families(catalog) == {"Warm Pad": None, "Sweep Pad": "flute", "Bird": "flute"} | renamed


def test_going_down_leaves_no_family_that_the_version_before_lacks(catalog: Catalog) -> None:
    store(catalog, {"Warm Pad": "a", "Applause": "b", "Sitar": "c"})
    down_and_up(catalog)
    downgrade(catalog)
    assert families(catalog) == {"Warm Pad": None, "Applause": None, "Sitar": "guitar"}
