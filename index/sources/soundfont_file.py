"""Reads the tables of a SoundFont and refuses a damaged file before the synthesiser loads it.

Follows the SoundFont 2.04 specification (sections 3, 4 and 7: RIFF form, INFO/sdta/pdta, the nine "hydra" tables). The
synthesiser follows every link in those tables unchecked, so a wrong one would crash the process.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import SourceError

ACCEPTED = "a RIFF file of form sfbk (.sf2, .sf3)"
MAX_BANK = 0x7FFF
MAX_REGIONS = 1_000_000  # preset zones × instrument zones; real banks stay below 100,000

_GENERATOR_INSTRUMENT = 41
_GENERATOR_SAMPLE = 53
COMPRESSED = 0x30  # sample type flags of .sf3: the sample is an Ogg stream, its bounds count bytes

_BAG = np.dtype([("first", "<u2"), ("modulator", "<u2")])
_GENERATOR = np.dtype([("operator", "<u2"), ("amount", "<u2")])
_MODULATOR = np.dtype("V10")
_TABLES: dict[bytes, np.dtype] = {
    b"phdr": np.dtype(
        [("name", "V20"), ("program", "<u2"), ("bank", "<u2"), ("first", "<u2"), ("rest", "V12")]
    ),
    b"pbag": _BAG,
    b"pmod": _MODULATOR,
    b"pgen": _GENERATOR,
    b"inst": np.dtype([("name", "V20"), ("first", "<u2")]),
    b"ibag": _BAG,
    b"imod": _MODULATOR,
    b"igen": _GENERATOR,
    b"shdr": np.dtype(
        [
            ("name", "V20"),
            ("start", "<u4"),
            ("end", "<u4"),
            ("loop", "<u4", 2),
            ("rate", "<u4"),
            ("pitch", "V4"),
            ("type", "<u2"),
        ]
    ),
}
_COPYRIGHT = b"ICOP"
MAX_COPYRIGHT = 200  # characters; some fonts hold a whole licence there
_CONTENT: dict[bytes, frozenset[bytes]] = {
    b"sdta": frozenset({b"smpl", b"sm24"}),
    b"pdta": frozenset(_TABLES),
}
Tables = dict[bytes, NDArray[np.void]]


class _Chunk(NamedTuple):
    """A RIFF chunk whose data start at byte `start` of the file."""

    kind: bytes
    start: int
    size: int


@dataclass(frozen=True, order=True)
class Preset:
    """A preset of a SoundFont; bank 128 holds drum kits, programs count from 0."""

    bank: int
    program: int
    name: str


@dataclass(frozen=True)
class SoundFontFile:
    """A SoundFont with validated tables; its sample data starts at byte `smpl_start` of the file."""

    path: Path
    presets: tuple[Preset, ...]  # ordered by bank and program, one per pair
    tables: Tables
    smpl_start: int
    is_compressed: bool
    copyright: str | None = None  # INFO's ICOP


def read_soundfont(path: Path) -> SoundFontFile:
    """Read and validate a SoundFont. Raises SourceError if it is none, is cut short or has inconsistent tables."""
    name = path.name
    try:
        with path.open("rb") as file:
            chunks, is_even = _read_chunks(file, name)
            tables = _read_tables(file, chunks, name)
            copyright_note = _read_copyright(file, chunks.get(_COPYRIGHT))
    except OSError as error:
        raise SourceError(f"{name} cannot be read: {error.strerror}", value=name, limit=ACCEPTED) from error
    smpl = chunks.get(b"smpl")
    if smpl is None or not smpl.size:
        raise _damaged(name, "its sample data (smpl) is missing")
    _check_links(tables, name)
    _check_references(tables, name)
    is_compressed = _check_samples(tables[b"shdr"], smpl.size, name)
    if not (is_even or is_compressed):
        raise _damaged(name, "a chunk has an odd size")
    presets = _presets(tables[b"phdr"][:-1], name)
    return SoundFontFile(path, presets, tables, smpl.start, is_compressed, copyright_note)


def _presets(headers: NDArray[np.void], name: str) -> tuple[Preset, ...]:
    found: dict[tuple[int, int], Preset] = {}
    for row in headers:
        bank, program = int(row["bank"]), int(row["program"])
        text = bytes(row["name"]).split(b"\0")[0].decode("latin-1").strip()
        if program < 128 and bank <= MAX_BANK:  # MIDI can select no others
            found.setdefault((bank, program), Preset(bank, program, text or f"Preset {bank}:{program}"))
    if not found:
        raise _damaged(name, "it has no presets")
    return tuple(sorted(found.values()))


def _damaged(name: str, reason: str) -> SourceError:
    return SourceError(f"{name} is not a complete SoundFont: {reason}", value=name, limit=ACCEPTED)


def _chunks(file: BinaryIO, position: int, end: int, name: str) -> Iterator[_Chunk]:
    """Yield the chunks between two positions of the file."""
    while position < end:
        file.seek(position)
        header = file.read(8)
        if len(header) < 8 or position + 8 > end:
            raise _damaged(name, f"a chunk's header at byte {position} is cut off")
        kind, size = struct.unpack("<4sI", header)
        if position + 8 + size > end:
            there = end - position - 8
            raise _damaged(
                name, f"chunk {kind!r} at byte {position} states {size} bytes, the file has {there}"
            )
        yield _Chunk(kind, position + 8, size)
        position += 8 + size
        file.seek(position)
        if size % 2 and file.read(1) == b"\0":  # MuseScore's converter omits the padding
            position += 1


def _read_chunks(file: BinaryIO, name: str) -> tuple[dict[bytes, _Chunk], bool]:
    """Return the chunks of sample data and tables by kind, and whether all chunks have even sizes.

    A synthesiser that ignores the padding of odd sizes would find other chunks.
    """
    file_bytes = file.seek(0, 2)
    file.seek(0)
    header = file.read(12)
    if len(header) < 12 or header[:4] != b"RIFF" or header[8:] != b"sfbk":
        raise _damaged(name, f"it starts with {header[:12]!r}, not with RIFF…sfbk")
    end = 8 + struct.unpack("<I", header[4:8])[0]
    if end > file_bytes:
        raise _damaged(name, f"its header states {end} bytes, the file has {file_bytes}")
    found: dict[bytes, _Chunk] = {}
    is_even = True
    for outer in list(_chunks(file, 12, end, name)):
        is_even &= outer.size % 2 == 0
        file.seek(outer.start)
        content = file.read(4) if outer.kind == b"LIST" else outer.kind
        if content == b"INFO":
            found |= _find_copyright(file, outer, name)
        if content not in _CONTENT:
            continue
        if outer.kind != b"LIST" or outer.size < 4:
            raise _damaged(name, f"{content.decode()} is not a list")
        for inner in list(_chunks(file, outer.start + 4, outer.start + outer.size, name)):
            if inner.kind not in _CONTENT[content] or inner.kind in found:
                raise _damaged(name, f"chunk {inner.kind!r} is repeated or misplaced")
            is_even &= inner.size % 2 == 0
            found[inner.kind] = inner
    return found, is_even


def _find_copyright(file: BinaryIO, information: _Chunk, name: str) -> dict[bytes, _Chunk]:
    """Return the copyright chunk if the list is readable; nothing else depends on this list."""
    with suppress(SourceError):
        for inner in _chunks(file, information.start + 4, information.start + information.size, name):
            if inner.kind == _COPYRIGHT:
                return {_COPYRIGHT: inner}
    return {}


def _read_copyright(file: BinaryIO, chunk: _Chunk | None) -> str | None:
    """Return the copyright in one line, cut to `MAX_COPYRIGHT` characters; None if there is none."""
    if chunk is None:
        return None
    file.seek(chunk.start)
    text = _decoded(file.read(min(chunk.size, 64 * MAX_COPYRIGHT)).split(b"\0")[0])
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return f"{line[: MAX_COPYRIGHT - 1]}…" if len(line) > MAX_COPYRIGHT else line or None


def _decoded(text: bytes) -> str:
    """Decode as UTF-8, else as Latin-1, which older editors write."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _read_tables(file: BinaryIO, chunks: dict[bytes, _Chunk], name: str) -> Tables:
    """Read the nine tables, each with at least its closing record."""
    tables: Tables = {}
    for kind, dtype in _TABLES.items():
        chunk = chunks.get(kind)
        if chunk is None or not chunk.size or chunk.size % dtype.itemsize:
            raise _damaged(name, f"table {kind.decode()} is missing or does not hold whole records")
        file.seek(chunk.start)
        tables[kind] = np.frombuffer(file.read(chunk.size), dtype)
    return tables


def _check_links(tables: Tables, name: str) -> None:
    """Check that `first` rises and stays inside the owned table: a record owns the rows up to the next `first`."""
    for owner, owned, spare in (
        (b"phdr", b"pbag", 1),
        (b"inst", b"ibag", 1),
        (b"pbag", b"pgen", 0),
        (b"ibag", b"igen", 0),
    ):
        first = tables[owner]["first"].astype(np.int64)
        if (np.diff(first) < 0).any() or first[-1] > len(tables[owned]) - spare:
            raise _damaged(name, f"table {owner.decode()} points outside table {owned.decode()}")


def _check_references(tables: Tables, name: str) -> None:
    """Check that generators name existing instruments and samples, and that regions do not exceed the limit."""
    pgen, igen = tables[b"pgen"], tables[b"igen"]
    instruments = pgen["amount"][pgen["operator"] == _GENERATOR_INSTRUMENT].astype(np.int64)
    is_sample = igen["operator"] == _GENERATOR_SAMPLE
    samples = igen["amount"][is_sample]
    if (instruments >= len(tables[b"inst"]) - 1).any() or (samples >= len(tables[b"shdr"]) - 1).any():
        raise _damaged(name, "a zone names a missing instrument or sample")
    samples_before = np.concatenate([[0], np.cumsum(is_sample)])  # [igen + 1]
    bounds = tables[b"ibag"]["first"][tables[b"inst"]["first"]]  # [inst], into igen
    per_instrument = np.diff(samples_before[bounds])
    if per_instrument[instruments].sum() > MAX_REGIONS:
        raise _damaged(name, f"its zones multiply to more than {MAX_REGIONS} regions")


def _check_samples(headers: NDArray[np.void], smpl_bytes: int, name: str) -> bool:
    """Return whether the samples are compressed; checks that all or none are, each inside the data."""
    is_compressed = (headers["type"][:-1] & COMPRESSED) != 0
    if not is_compressed.any():
        return False
    if not is_compressed.all():
        raise _damaged(name, "only some of its samples are compressed")
    if ((headers["start"] > headers["end"]) | (headers["end"] > smpl_bytes))[:-1].any():
        raise _damaged(name, "a sample lies outside the sample data")
    return True
