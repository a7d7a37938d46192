"""Stores the instruments of an enrollment in batches: each with clips, previews and the job's progress, or not at all."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import NamedTuple, Self

from sqlalchemy import insert
from sqlalchemy.orm import Session

from index.catalog import Clip, Instrument, Library
from index.declarative import new_id
from index.enrollment.hearing import HeardInstrument
from index.instrument_index import InstrumentIndex
from index.instruments import Corrections
from index.records import InstrumentInfo, instrument_info, instruments_of, library_info
from index.sound_descriptors import descriptors_row
from index.sources.base import Floats, SourceInstrument
from index.stored_embeddings import to_bytes
from models.audio import write_mp3
from models.descriptors import Descriptors, describe
from models.errors import LibraryNotFound

BATCH_INSTRUMENTS = 32
BATCH_SECONDS = 5.0  # of work that a kill may cost, when instruments are slow to render

Storing = Callable[[Session, int], None]


class Destination(NamedTuple):
    """The library that instruments are stored in, and what is recorded with each: the path of its source, and its job."""

    library_id: str
    source_path: str | None
    job_id: str | None


class _EmbeddedInstrument(NamedTuple):
    """An instrument that is ready to be stored under `id`; its preview, if any, is in a temporary folder."""

    id: str
    instrument: SourceInstrument
    heard: HeardInstrument
    preview: Path | None
    descriptors: Descriptors | None


class BatchWriter:
    """Collects embedded instruments in a temporary folder and in memory until `store`, as a context.

    `num_stored` counts those that its job has stored, in earlier runs too. `storing(session, num_stored)` is called in the
    transaction of each batch.
    """

    def __init__(
        self, index: InstrumentIndex, to: Destination, folder: Path, storing: Storing | None, num_stored: int
    ) -> None:
        self.num_stored = num_stored
        self._index = index
        self._to = to
        self._storing = storing
        self._previews = _PreviewWriter(folder)
        self._batch: list[_EmbeddedInstrument] = []
        self._began = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._previews.close()

    def add(
        self, instrument: SourceInstrument, heard: HeardInstrument, preview: tuple[Floats, int] | None
    ) -> None:
        """Add an instrument to the batch, and start to write its preview."""
        key = new_id("i")
        path = self._previews.write(key, *preview) if preview else None
        descriptors = describe(*preview) if preview else None
        self._batch.append(_EmbeddedInstrument(key, instrument, heard, path, descriptors))

    def is_due(self, num_more: int) -> bool:
        """Whether the batch is to be stored, with `num_more` instruments that are about to be added."""
        number = len(self._batch) + num_more
        return number >= BATCH_INSTRUMENTS or (number > 0 and monotonic() - self._began >= BATCH_SECONDS)

    def store(self) -> list[InstrumentInfo]:
        """Store the batch in one transaction; the previews are moved into place just before it commits.

        Raises LibraryNotFound if the library was deleted meanwhile, EncoderMismatch if another encoder has filled it, and
        what writing a preview has raised.
        """
        self._began = monotonic()
        if not self._batch:
            return []
        self._previews.wait()
        moved: list[Path] = []
        try:
            with self._index.catalog.write(patient=True) as session:
                library = self._library(session)
                rows = _insert(session, library, self._batch, self._to)
                for item in self._batch:
                    if item.preview is not None:
                        target = self._index.folder.preview_file(item.id)
                        moved.append(item.preview.replace(target))
                added = [instrument_info(row) for row in rows]
                if self._storing:
                    self._storing(session, self.num_stored + len(added))
        except BaseException:
            for path in moved:
                path.unlink(missing_ok=True)
            raise
        self.num_stored += len(added)
        self._batch = []
        self._index.vectors.follow(library)
        return added

    def _library(self, session: Session) -> Library:
        """Return the library, changed: an empty one takes the encoder of its first instruments."""
        library = session.get(Library, self._to.library_id)
        if library is None or library.deleted_at is not None:
            message = f"library {self._to.library_id} was deleted meanwhile"
            raise LibraryNotFound(message, value=self._to.library_id)
        # Another process may have enrolled meanwhile.
        self._index.check_encoder(library_info(session, library, self._index.encoder_hash))
        library.encoder_hash = self._index.encoder_hash
        library.revision += 1
        return library


class _PreviewWriter:
    """Encodes previews to mp3 in a thread of its own while the next instruments are embedded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._last: Future[None] | None = None

    def write(self, instrument_id: str, samples: Floats, sample_rate: int) -> Path:
        """Start to encode, and return the path of the mp3. First `wait`."""
        self.wait()
        path = self._folder / f"{instrument_id}.mp3"
        self._last = self._thread.submit(write_mp3, path, samples, sample_rate)
        return path

    def wait(self) -> None:
        """Wait for the last preview, and raise its error, if any."""
        if self._last:
            self._last.result()

    def close(self) -> None:
        self._thread.shutdown(wait=True)


def _insert(
    session: Session, library: Library, batch: list[_EmbeddedInstrument], to: Destination
) -> list[Instrument]:
    """Insert the instruments, what is measured of them and their clips, under names that are free."""
    taken = set(session.scalars(instruments_of(library.id).with_only_columns(Instrument.name)))
    corrections = Corrections(session, library.id)
    rows = [_new_row(item, library, taken, corrections, to) for item in batch]
    session.add_all(rows)
    session.flush()
    clips = [
        {"vector_id": row.vector_id, "position": position, "embedding": to_bytes(clip)}
        for row, item in zip(rows, batch, strict=True)
        for position, clip in enumerate(item.heard.clips)
    ]
    session.execute(insert(Clip), clips)
    session.add_all(
        descriptors_row(row.vector_id, item.descriptors) for row, item in zip(rows, batch, strict=True)
    )
    return rows


def _new_row(
    item: _EmbeddedInstrument, library: Library, taken: set[str], corrections: Corrections, to: Destination
) -> Instrument:
    """Make the row of an instrument, with the name, family and marks that a person gave it earlier, if any."""
    lowest, highest = item.instrument.playable_range or (None, None)
    name, family = item.instrument.name, item.instrument.family
    earlier = corrections.find(item.instrument.source, name, library.encoder_hash, item.heard.mean)
    name_corrected, family_corrected = (
        bool(earlier and earlier.name_corrected),
        bool(earlier and earlier.family_corrected),
    )
    return Instrument(
        id=item.id,
        library_id=library.id,
        name=free_name(earlier.name if earlier and name_corrected else name, taken),
        family=earlier.family if earlier and family_corrected else family,
        families=item.heard.families,
        source_name=name,
        name_corrected=name_corrected,
        family_corrected=family_corrected,
        source=item.instrument.source,
        source_key=item.instrument.id,
        source_path=to.source_path,
        licence=item.instrument.licence,
        lowest_pitch=lowest,
        highest_pitch=highest,
        num_clips=len(item.heard.clips),
        encoder_hash=library.encoder_hash,
        embedding=to_bytes(item.heard.mean),
        job_id=to.job_id,
        tags=earlier.tags if earlier else "",
        favourite=bool(earlier and earlier.favourite),
    )


def free_name(name: str, taken: set[str]) -> str:
    """Return `name`, or `name (2)` and so on if it is taken, and add the result to `taken`."""
    name = " ".join(name.split()) or "unnamed"
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    taken.add(free)
    return free
