"""The patches of synthesisers: banks are read in their own formats, and a content counts once."""

import random
import shutil
from pathlib import Path

import pytest

from models.errors import SourceError
from training.synth.dssi import find_plugin
from training.synth.patches import BASE64, SHARED_FOLDER, SYNTHESISERS, encode_voices, find_patches

HEAD = "# These patches are in the public domain.\n"


def whysynth_patch(name: str, category: str, cutoff: int) -> str:
    lines = [f"name {name}", f"category {category}", f"vcfY 1 6 0 {cutoff}"]
    return "\n".join(["WhySynth patch format 1 begin", *lines, "WhySynth patch end", ""])


def decoded(text: str) -> bytes:
    """Read what `encode_voices` wrote, bit by bit, as hexter does; the slow twin."""
    length, letters, total = text.split(" ")
    bits = "".join(f"{BASE64.index(letter):06b}" for letter in letters)
    found = bytes(int(bits[at : at + 7], 2) for at in range(0, 7 * int(length), 7))
    assert sum(found) == int(total)
    return found


@pytest.mark.parametrize("length", [1, 6, 128, 4096])
def test_voices_survive_their_encoding(length: int) -> None:
    voices = bytes(random.Random(length).choices(range(128), k=length))
    assert decoded(encode_voices(voices)) == voices


def test_a_text_bank_names_patches_families_and_programs(tiny_dssi: Path, tmp_path: Path) -> None:
    library = tmp_path / "whysynth.so"
    shutil.copy(tiny_dssi, library)
    folder = tmp_path / "shared/whysynth"
    folder.mkdir(parents=True)
    new = [whysynth_patch(f"Thing%20{n}", "Pad", n) for n in range(130)]
    new += [whysynth_patch("%3cempty%3e", "Pad", 500), whysynth_patch("Trial", "[test]", 501)]
    new += [whysynth_patch("After%20amSynth%20Bass", "Bass", 502), whysynth_patch("Big%20Oboe", "Pad", 503)]
    (folder / "current.WhySynth").write_text(HEAD + "".join(new))
    old = [whysynth_patch("Renamed", "Pad", 7), whysynth_patch("Dropped", "Lead", 900)]
    (folder / "version_1.WhySynth").write_text("".join(old))

    patches = find_patches([str(library)], tmp_path / "shared")

    assert [patch.name for patch in patches] == [*(f"Thing {n}" for n in range(130)), "Big Oboe", "Dropped"]
    assert (patches[129].program_bank, patches[129].program) == (1, 1)
    assert (patches[130].program_bank, patches[130].program) == (1, 5)  # the places of unusable patches count
    assert [patch.family for patch in patches[-3:]] == ["synth_pad", "reed", "synth_lead"]
    assert [patch.licence for patch in patches[-2:]] == ["public domain", None]
    assert patches[-1].setup == (("load", str(folder / "version_1.WhySynth")),)
    assert len({patch.id for patch in patches}) == len(patches)


def test_a_bank_of_dx7_voices_is_sent_by_sections(tiny_dssi: Path, tmp_path: Path) -> None:
    library = tmp_path / "hexter.so"
    shutil.copy(tiny_dssi, library)
    folder = tmp_path / "shared/hexter"
    folder.mkdir(parents=True)
    voices = [bytes([n] * 118) + f"FLUTE {n:4}".encode() for n in range(40)]
    (folder / "roms.dx7").write_bytes(b"".join(voices) + b"torn")

    patches = [patch for patch in find_patches([str(library)], tmp_path / "shared") if patch.bank == "roms"]

    assert [patch.name for patch in patches] == [f"FLUTE {n}" for n in range(40)]
    assert {patch.family for patch in patches} == {"flute"}
    for number, patch in enumerate(patches):
        ((key, text),) = patch.setup
        section = decoded(text)
        assert key == "patches0"
        assert section[128 * patch.program :][:128] == voices[number]


def test_built_in_programs_are_patches_without_the_placeholders(tiny_dssi: Path) -> None:
    patches = find_patches([str(tiny_dssi)])
    names = ["Bright Organ", "Organ Twin", "Plain Flute", "Noise", "Silence", "Crash"]
    assert [patch.name for patch in patches] == names
    assert [patch.family for patch in patches[:3]] == ["organ", "organ", "flute"]
    assert {patch.licence for patch in patches} == {"public domain"}


def test_a_synthesiser_that_is_not_installed_is_named() -> None:
    with pytest.raises(SourceError, match="the synthesiser no-such-synth is not installed"):
        find_patches(["no-such-synth"])


@pytest.mark.skipif(find_plugin("whysynth") is None, reason="the synthesiser whysynth is not installed")
def test_the_installed_banks_hold_what_the_documents_say() -> None:
    installed = [name for name in SYNTHESISERS if find_plugin(name)]
    patches = find_patches(installed, SHARED_FOLDER)
    assert sum(patch.synthesiser == "whysynth" for patch in patches) > 900
    assert not [patch.name for patch in patches if "amsynth" in patch.name.lower()]
