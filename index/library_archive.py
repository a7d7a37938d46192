"""A library's embeddings in one file, so that one machine computes them and another one with the same encoder serves them.

A zip whose entries are stored: `manifest.json` (the encoder's hash, the instruments, and size and hash of each other file),
the embeddings of instruments and clips as little-endian float32, and the previews. Sources stay where they are.
"""

import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Annotated, Final, Literal

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from index.catalog import Clip, Instrument
from index.declarative import new_id
from index.families import FAMILIES
from index.instrument_index import InstrumentIndex
from index.instruments import MAX_INSTRUMENT_NAME_LENGTH
from index.libraries import MAX_NAME_LENGTH, utc_now
from index.records import LibraryInfo, instruments_of
from index.sources.base import Floats
from index.stored_embeddings import to_bytes
from index.stored_zip import (
    BROKEN,
    StoredFile,
    add_entry,
    check_entries,
    opened_zip,
    read_entry,
    unpack_entry,
)
from models.errors import ArchiveError, BackupError, EncoderMismatch, LibraryEmpty

VERSION: Final = 1
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 * 1024 * 1024
MAX_CLIPS = 10_000  # of an instrument
EMBEDDINGS, CLIPS = (
    "embeddings.f32",
    "clips.f32",
)  # [instruments, dim], [all clips, dim], in the order of the manifest
UNIT_TOLERANCE = 1e-3  # of the norm of an embedding
_MP3 = (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xfa")  # how an mp3 begins
_BATCH = 500  # rows in one SQL condition

FamilyName = Literal[FAMILIES]  # type: ignore[valid-type]
Line = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Probability = Annotated[float, Field(ge=0, le=1)]


class ArchivedInstrument(BaseModel):
    """The columns of `index.catalog.Instrument` that mean the same on every machine, and the name of its preview's file."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    name: Line = Field(min_length=1, max_length=MAX_INSTRUMENT_NAME_LENGTH)
    family: FamilyName | None
    families: dict[FamilyName, Probability] | None
    source: Line
    source_name: Line | None
    source_key: Line | None
    licence: Line | None
    lowest_pitch: int | None = Field(ge=0, le=127)
    highest_pitch: int | None = Field(ge=0, le=127)
    num_clips: int = Field(ge=1, le=MAX_CLIPS)
    name_corrected: bool
    family_corrected: bool
    from_preview: bool
    preview: str | None = None


class LibraryManifest(BaseModel):
    """What an archive holds. `encoder` is the hash of the encoder of all embeddings, which have `embedding_dim` numbers."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["showme-library"] = "showme-library"
    version: Literal[1] = VERSION
    created_at: AwareDatetime
    name: Line = Field(min_length=1, max_length=MAX_NAME_LENGTH)
    encoder: str
    embedding_dim: int = Field(ge=1)
    instruments: list[ArchivedInstrument] = Field(min_length=1)
    files: dict[str, StoredFile]


def export_library(index: InstrumentIndex, library_id: str, target: Path | IO[bytes]) -> LibraryManifest:
    """Write a library into the file `target`, as it is at one moment.

    Raises LibraryNotFound, LibraryEmpty, and EncoderMismatch for a library with instruments of another encoder than the one in
    use, which must be updated first.
    """
    library = index.libraries.get(library_id)
    if library.state != "ready":
        message = f"library {library.name!r} cannot be exported before it is updated: {library.state_reason}"
        raise EncoderMismatch(message, value=library.encoder_hash, limit=index.encoder_hash)
    with (
        tempfile.TemporaryDirectory(prefix="export-", dir=index.folder.tmp_dir) as folder,
        zipfile.ZipFile(target, "w") as zipped,
    ):
        embeddings, clips = Path(folder) / EMBEDDINGS, Path(folder) / CLIPS
        with index.catalog.session() as session:
            rows = session.scalars(instruments_of(library.id)).all()
            _write_embeddings(session, rows, embeddings, clips)
        if not rows:
            raise LibraryEmpty(f"library {library.name!r} holds no instruments", value=0, limit="at least 1")
        files = {
            EMBEDDINGS: add_entry(zipped, EMBEDDINGS, embeddings),
            CLIPS: add_entry(zipped, CLIPS, clips),
        }
        instruments = [ArchivedInstrument.model_validate(row) for row in rows]
        for number, (row, archived) in enumerate(zip(rows, instruments, strict=True)):
            name = _preview_name(number)
            with suppress(FileNotFoundError):  # an instrument without one, or purged meanwhile
                files[name] = add_entry(zipped, name, index.folder.preview_file(row.id))
                archived.preview = name
        manifest = LibraryManifest(
            created_at=utc_now(),
            name=library.name,
            encoder=index.encoder_hash,
            embedding_dim=index.embedding_dim,
            instruments=instruments,
            files=files,
        )
        zipped.writestr(MANIFEST, manifest.model_dump_json(indent=1))
    return manifest


def _write_embeddings(session: Session, rows: Sequence[Instrument], embeddings: Path, clips: Path) -> None:
    with embeddings.open("wb") as means, clips.open("wb") as all_clips:
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            means.writelines(row.embedding for row in batch)
            of_batch = Clip.vector_id.in_([row.vector_id for row in batch])
            found = select(Clip.embedding).where(of_batch).order_by(Clip.vector_id, Clip.position)
            all_clips.writelines(session.scalars(found))


def _preview_name(number: int) -> str:
    return f"previews/{number:06d}.mp3"


def import_library(
    index: InstrumentIndex, archive: Path, name: str | None = None, key_id: str | None = None
) -> LibraryInfo:
    """Make a new library of an archive, under its own name unless another is given: the whole of it, or nothing.

    Raises ArchiveError for a file that is damaged, newer or none of ours, EncoderMismatch for the embeddings of another
    encoder, InvalidRequest and LibraryExists for the name.
    """
    with tempfile.TemporaryDirectory(prefix="import-", dir=index.folder.tmp_dir) as unpacked:
        folder = Path(unpacked)
        try:
            with archive.open("rb") as file, opened_zip(file, "library's archive") as zipped:
                manifest = _read_manifest(zipped)
                _check_encoder(index, manifest)
                check_entries(zipped, {*manifest.files, MANIFEST}, archive.stat().st_size)
                for entry, expected in manifest.files.items():
                    unpack_entry(zipped, entry, expected, folder / entry)
        except BackupError as error:
            raise ArchiveError(error.message, value=error.value, limit=error.limit) from error
        means = _read_embeddings(folder / EMBEDDINGS, len(manifest.instruments), manifest.embedding_dim)
        num_clips = sum(item.num_clips for item in manifest.instruments)
        clips = _read_embeddings(folder / CLIPS, num_clips, manifest.embedding_dim)
        for item in manifest.instruments:
            if item.preview is not None:
                _check_preview(folder / item.preview)
        library_id = _store(index, manifest, means, clips, folder, name or manifest.name, key_id)
    return index.libraries.get(library_id)


def _read_manifest(zipped: zipfile.ZipFile) -> LibraryManifest:
    """Read the manifest, whose file names are those that this version gives."""
    try:
        text = read_entry(zipped, MANIFEST, MAX_MANIFEST_BYTES)
        version = _VersionOfArchive.model_validate_json(text).version
        if version > VERSION:
            message = f"it has format {version}, and this version of the program reads up to {VERSION}; take a newer one"
            raise ArchiveError(message, value=version, limit=VERSION)
        manifest = LibraryManifest.model_validate_json(text)
    except BROKEN as error:
        message = "it is no library's archive of this program: it holds no manifest that can be read"
        raise ArchiveError(message) from error
    previews = {
        item.preview: _preview_name(at) for at, item in enumerate(manifest.instruments) if item.preview
    }
    if any(key != value for key, value in previews.items()) or manifest.files.keys() != {
        EMBEDDINGS,
        CLIPS,
        *previews,
    }:
        raise ArchiveError("its manifest names other files than those of its instruments")
    if len({item.name for item in manifest.instruments}) != len(manifest.instruments):
        raise ArchiveError("its manifest gives one name to several instruments")
    return manifest


class _VersionOfArchive(BaseModel):
    """The part of a manifest that every version has."""

    format: Literal["showme-library"]
    version: int


def _check_encoder(index: InstrumentIndex, manifest: LibraryManifest) -> None:
    if manifest.encoder != index.encoder_hash or manifest.embedding_dim != index.embedding_dim:
        message = (
            f"the embeddings of {manifest.name!r} were made with another encoder than the one in use here, and cannot be "
            "compared with its queries: run the same version and weights on both machines, or add the sources themselves"
        )
        raise EncoderMismatch(message, value=manifest.encoder[:100], limit=index.encoder_hash)


def _read_embeddings(path: Path, number: int, dim: int) -> Floats:
    """Read embeddings `[number, dim]`. Raises ArchiveError unless these are as many, finite and of unit norm."""
    if path.stat().st_size != 4 * number * dim:
        message = (
            f"{path.name} in it has {path.stat().st_size} bytes, and its instruments need {4 * number * dim}"
        )
        raise ArchiveError(message, value=path.stat().st_size, limit=4 * number * dim)
    embeddings = np.fromfile(path, dtype="<f4").astype(np.float32).reshape(number, dim)
    norms = np.linalg.norm(embeddings, axis=1)  # NaN and infinity have no norm near 1
    if not np.all(np.abs(norms - 1.0) <= UNIT_TOLERANCE):
        raise ArchiveError(f"{path.name} in it holds embeddings that are not of length 1", limit="unit norm")
    return embeddings


def _check_preview(path: Path) -> None:
    with path.open("rb") as file:
        if not file.read(3).startswith(_MP3):
            raise ArchiveError(f"previews/{path.name} in it is no mp3", value=path.name)


def _store(
    index: InstrumentIndex,
    manifest: LibraryManifest,
    means: Floats,
    clips: Floats,
    folder: Path,
    name: str,
    key_id: str | None,
) -> str:
    """Store all in one transaction, and move the previews into place just before it commits; return the library's id."""
    moved: list[Path] = []
    try:
        with index.catalog.write(patient=True) as session:
            library = index.libraries.new_row(session, name, key_id)
            rows = [
                Instrument(
                    id=new_id("i"),
                    library_id=library.id,
                    encoder_hash=manifest.encoder,
                    embedding=to_bytes(mean),
                    **item.model_dump(exclude={"preview"}),
                )
                for item, mean in zip(manifest.instruments, means, strict=True)
            ]
            session.add_all(rows)
            session.flush()
            _insert_clips(session, rows, clips)
            library.revision += 1
            for row, item in zip(rows, manifest.instruments, strict=True):
                if item.preview is not None:
                    moved.append((folder / item.preview).replace(index.folder.preview_file(row.id)))
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        raise
    index.vectors.follow(library)
    return library.id


def _insert_clips(session: Session, rows: Sequence[Instrument], clips: Floats) -> None:
    places = ((row.vector_id, position) for row in rows for position in range(row.num_clips))
    values = [
        {"vector_id": vector_id, "position": position, "embedding": to_bytes(clip)}
        for (vector_id, position), clip in zip(places, clips, strict=True)
    ]
    session.execute(insert(Clip), values)
