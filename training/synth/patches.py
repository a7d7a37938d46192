"""Finds the patches of the installed synthesisers: those built into a plug-in, and the banks that come with it.

WhySynth's banks are text with one patch a paragraph (its README); hexter's are DX7 voices packed into 128 bytes each (Yamaha's
DX7 manual, 32-voice bulk dump without its header).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from index.families import family_of_name
from models.errors import SourceError
from training.processes import CONTEXT, call_apart, worker_pool
from training.synth.dssi import DssiSynth, find_plugin

SHARED_FOLDER = Path("/usr/share")
SYNTHESISERS = (
    "hexter",
    "whysynth",
    "wsynth-dssi",
    "xsynth-dssi",
)  # the default; any other plug-in can be named
PRELOADED = "training.synth.patch_rendering"  # imported once for all processes, not once a patch
LISTING_SECONDS = 60
LISTING_RATE = 48_000
PROGRAMS_IN_BANK = 128

VOICE_BYTES, VOICE_NAME = 128, slice(118, 128)  # of a packed DX7 voice
VOICES_IN_SECTION = 32  # hexter takes voices by 32
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

_WHYSYNTH = re.compile(
    r"^WhySynth patch format \d+ begin\n(.*?)^WhySynth patch end$", re.MULTILINE | re.DOTALL
)
_LABEL = re.compile(r"^(name|category) (.*)\n", re.MULTILINE)
# Empty places, headings, starting points and a developer's tests, which are named, but are no instruments; and patches
# after those of amsynth, which is held out from training.
_UNUSABLE = re.compile(r"\s*<|=====|-----|[^a-z]*$|.*init voice|.*\btest\b|.*\(key=|.*amsynth", re.IGNORECASE)
_UNUSABLE_CATEGORIES = ("[test]", "[devel]")


@dataclass(frozen=True, slots=True)
class SynthPatch:
    """A patch, and how to choose it: `setup` holds the plug-in's settings (key, value), then comes the program."""

    id: str
    synthesiser: str
    library: Path
    bank: str
    name: str
    family: str | None
    licence: str | None
    setup: tuple[tuple[str, str], ...]
    program_bank: int
    program: int


def find_patches(synthesisers: Sequence[str], shared: Path = SHARED_FOLDER) -> list[SynthPatch]:
    """Return the patches of plug-ins, each named or given by the path of its library; a content counts once.

    Raises SourceError if one is not installed or no synthesiser, and TrainingError if it crashes.
    """
    libraries = [_library(synthesiser) for synthesiser in synthesisers]
    found: list[SynthPatch] = []
    CONTEXT.set_forkserver_preload([PRELOADED])  # before the first process starts the server
    with worker_pool(1) as pool:
        for library in libraries:
            folder = shared / library.stem
            if library.stem == "whysynth":  # whose banks hold its built-in patches
                found += _whysynth_patches(library, folder)
                continue
            if library.stem == "hexter":
                found += _dx7_patches(library, folder)
            found += pool.submit(call_apart, _built_in, library, limit_seconds=LISTING_SECONDS).result()
    unique: dict[str, SynthPatch] = {}
    for patch in found:
        if not _UNUSABLE.match(patch.name):
            unique.setdefault(patch.id, patch)
    return list(unique.values())


def _library(synthesiser: str) -> Path:
    library = Path(synthesiser) if "/" in synthesiser else find_plugin(synthesiser)
    if library is None or not library.is_file():
        message = f"the synthesiser {synthesiser} is not installed: no DSSI plug-in has this name"
        raise SourceError(message, value=synthesiser)
    return library


def _id(synthesiser: str, content: bytes) -> str:
    return f"{synthesiser}_{hashlib.sha256(content).hexdigest()[:10]}"


def _built_in(library: Path) -> list[SynthPatch]:
    """The programs that a plug-in starts with; runs in a process of its own."""
    synth = DssiSynth(library, LISTING_RATE)
    return [
        SynthPatch(
            id=_id(library.stem, f"{program.bank} {program.number} {program.name}".encode()),
            synthesiser=library.stem,
            library=library,
            bank="built-in",
            name=" ".join(program.name.split()),
            family=family_of_name(program.name),
            licence=synth.copyright or None,
            setup=(),
            program_bank=program.bank,
            program=program.number,
        )
        for program in synth.programs()
    ]


def _whysynth_patches(library: Path, folder: Path) -> Iterator[SynthPatch]:
    """The patches of WhySynth's banks; the plug-in loads a bank by its path and numbers its patches in their order."""
    for path in _newest_first(folder.glob("*.WhySynth")):
        text = path.read_text("utf-8", "replace")
        is_free = "public domain" in text.partition("WhySynth patch format")[0]
        for place, body in enumerate(_WHYSYNTH.findall(text)):
            labels = {key: unquote(value) for key, value in _LABEL.findall(body)}
            name = " ".join(labels.get("name", "").split())
            if labels.get("category") in _UNUSABLE_CATEGORIES:
                continue
            yield SynthPatch(
                id=_id("whysynth", _LABEL.sub("", body).encode()),
                synthesiser="whysynth",
                library=library,
                bank=path.stem,
                name=name,
                family=family_of_name(name) or family_of_name(labels.get("category", "")),
                licence="public domain" if is_free else None,
                setup=(("load", str(path)),),
                program_bank=place // PROGRAMS_IN_BANK,
                program=place % PROGRAMS_IN_BANK,
            )


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    """Current banks, then those of older versions, which are named after their dates."""
    by_name = sorted(paths)
    old = [path for path in by_name if path.name.startswith("version")]
    return [path for path in by_name if path not in old] + old[::-1]


def _dx7_patches(library: Path, folder: Path) -> Iterator[SynthPatch]:
    """The voices of hexter's DX7 banks; the plug-in takes 32 at a time, as text."""
    for path in sorted(folder.glob("*.dx7")):
        content = path.read_bytes()
        for start in range(0, len(content) - VOICE_BYTES + 1, VOICE_BYTES):
            voice = content[start : start + VOICE_BYTES]
            place = start // VOICE_BYTES % VOICES_IN_SECTION
            first = start - place * VOICE_BYTES
            section = content[first : first + VOICES_IN_SECTION * VOICE_BYTES]
            section = section.ljust(VOICES_IN_SECTION * VOICE_BYTES, b"\0")
            name = " ".join(voice[VOICE_NAME].decode("ascii", "replace").split())
            yield SynthPatch(
                id=_id("hexter", voice[: VOICE_NAME.start]),
                synthesiser="hexter",
                library=library,
                bank=path.stem,
                name=name,
                family=family_of_name(name),
                licence="GPL-2.0-or-later",
                setup=(("patches0", encode_voices(section)),),
                program_bank=0,
                program=place,
            )


def encode_voices(voices: bytes) -> str:
    """Return bytes below 128 as hexter reads them: their number, seven bits of each in letters of six, and their sum."""
    bits = "".join(f"{byte & 127:07b}" for byte in voices)
    bits += "0" * (-len(bits) % 6)
    letters = "".join(BASE64[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))
    return f"{len(voices)} {letters} {sum(byte & 127 for byte in voices)}"
