"""Enrollment: a source's instruments become clips, embeddings, one transaction, and then vectors.

Section 5.1 of Kim et al. 2022: an instrument's enrollment embedding is the (here normalised) mean of its clips'. Until
the transaction commits nothing is kept, so that a cancelled, failed or killed enrollment leaves nothing behind.
"""

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.catalog import Clip, Library, new_id, to_bytes
from index.catalog import Instrument as InstrumentRow
from index.corrections import Corrections
from index.instrument_index import InstrumentIndex
from index.lookups import instrument_info, instruments_of
from index.maps import Draft
from index.records import InstrumentInfo
from index.sources.base import Floats, InstrumentSource, SourceInstrument
from models.audio import write_mp3
from models.encoder_pair import EncoderPair
from models.errors import AudioError, EncoderMismatch, LibraryNotFound, SourceError

Progress = Callable[[int, int, str], None]

DRAWING = "drawing the map"  # the progress message after the last instrument

_MIN_MEAN_NORM = 1e-3  # clips that point every way have no mean to speak of


@dataclass(frozen=True)
class EnrollReport:
    """What was enrolled, and what was not: instruments, or files of one, each with the reason."""

    added: list[InstrumentInfo]
    skipped: list[tuple[str, str]]
    cancelled: bool = False


@dataclass(frozen=True)
class _Prepared:
    """An instrument that is ready to be stored under `id`; its preview, if it has one, waits in a temporary folder."""

    id: str
    instrument: SourceInstrument
    clips: Floats  # [clips, dim]
    mean: Floats  # [dim], unit norm
    preview: Path | None


def enroll(
    index: InstrumentIndex,
    pair: EncoderPair,
    library_id: str,
    source: InstrumentSource,
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> EnrollReport:
    """Add the instruments of `source` to the library (id or name); those that cannot be used are skipped with a reason.

    `progress(done, total, name)` is called once at the start, after each instrument, and with DRAWING before the library's
    map is drawn; `cancelled()` is asked before each instrument and while drawing, and a cancelled enrollment adds nothing
    and reports so. Raises LibraryNotFound, EncoderMismatch, and SourceError if no instrument could be used.
    """
    if pair.encoder_hash != index.encoder_hash:
        raise EncoderMismatch(
            "the index was opened for another encoder", value=pair.encoder_hash, limit=index.encoder_hash
        )
    library = index.library(library_id)
    if library.num_instruments:
        index.check_encoder(library.name, library.encoder_hash)
    folder = Path(tempfile.mkdtemp(prefix="enroll-", dir=index.tmp_dir))
    try:
        with _PreviewWriter(folder) as previews:
            prepared, skipped = _prepare_all(pair, source, previews, progress, cancelled or (lambda: False))
        if prepared is None or (cancelled and cancelled()):
            return EnrollReport([], [], cancelled=True)
        if not prepared:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3])
            raise SourceError(
                f"no instrument of {source.name} could be enrolled ({reasons})", value=source.name
            )
        if progress:
            progress(len(source), len(source), DRAWING)
        means = np.stack([item.mean for item in prepared])
        draft = index.maps.draft(library.id, means, cancelled or (lambda: False))
        if cancelled and cancelled():
            return EnrollReport([], [], cancelled=True)
        added = _commit(index, library.id, prepared, draft)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    index.vectors.get(library.id, index.revision(library.id))
    return EnrollReport(added, skipped)


class _PreviewWriter:
    """Encodes previews to mp3 in a thread of its own, one behind the instrument that is being rendered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._last: Future[None] | None = None

    def __enter__(self) -> "_PreviewWriter":
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._thread.shutdown(wait=True)
        if self._last and error is None:
            self._last.result()

    def write(self, instrument_id: str, samples: Floats, sample_rate: int) -> Path:
        if self._last:
            self._last.result()
        path = self._folder / f"{instrument_id}.mp3"
        self._last = self._thread.submit(write_mp3, path, samples, sample_rate)
        return path


def _prepare_all(
    pair: EncoderPair,
    source: InstrumentSource,
    previews: _PreviewWriter,
    progress: Progress | None,
    cancelled: Callable[[], bool],
) -> tuple[list[_Prepared] | None, list[tuple[str, str]]]:
    """What can be enrolled and what is skipped; None and nothing when cancelled on the way."""
    report = progress or (lambda done, total, name: None)
    prepared: list[_Prepared] = []
    skipped: list[tuple[str, str]] = list(source.faults)
    report(0, len(source), "")
    for done, instrument in enumerate(source, 1):
        if cancelled():
            return None, []
        try:
            prepared.append(_prepare(pair, instrument, previews, skipped))
        except (SourceError, AudioError) as error:
            skipped.append((instrument.name, error.message))
        skipped += [(f"{instrument.name}/{part}", reason) for part, reason in instrument.faults]
        report(done, len(source), instrument.name)
    return prepared, skipped


def _prepare(
    pair: EncoderPair, instrument: SourceInstrument, previews: _PreviewWriter, skipped: list[tuple[str, str]]
) -> _Prepared:
    """Render or decode, embed, and have the preview written; an instrument may do without one."""
    clips = pair.embed(instrument.clips(pair.sample_rate, pair.clip_samples))
    mean = clips.mean(axis=0)
    norm = float(np.linalg.norm(mean))
    if not norm > _MIN_MEAN_NORM:  # NaN included
        raise SourceError(f"the encoder makes nothing of {instrument.name}", value=instrument.source)
    instrument_id = new_id("i")
    preview: Path | None = None
    try:
        preview = previews.write(instrument_id, *instrument.preview())
    except SourceError as error:
        skipped.append((f"{instrument.name}, its preview", error.message))
    return _Prepared(instrument_id, instrument, clips, mean / norm, preview)


def _commit(
    index: InstrumentIndex, library_id: str, prepared: list[_Prepared], draft: Draft | None
) -> list[InstrumentInfo]:
    """All rows, and the map with them, in one transaction, previews moved into place just before it commits."""
    moved: list[Path] = []
    try:
        with index.catalog.write() as session:
            library = session.get(Library, library_id)
            if library is None or library.deleted_at is not None:
                raise LibraryNotFound(f"library {library_id} was deleted meanwhile", value=library_id)
            names = instruments_of(library_id).with_only_columns(InstrumentRow.name)
            taken = set(session.scalars(names))
            if taken:  # another process may have filled it meanwhile
                index.check_encoder(library.name, library.encoder_hash)
            library.encoder_hash = index.encoder_hash  # an empty one takes that of its first instruments
            library.revision += 1
            corrections = Corrections(session, library_id)
            rows = [_row(item, library_id, index.encoder_hash, taken, corrections) for item in prepared]
            session.add_all(rows)
            session.flush()
            for row, item in zip(rows, prepared, strict=True):
                session.add_all(
                    Clip(vector_id=row.vector_id, position=position, embedding=to_bytes(clip))
                    for position, clip in enumerate(item.clips)
                )
            if draft:
                draft.store(session, library, [row.vector_id for row in rows])
            for item in prepared:
                if item.preview is not None:
                    moved.append(item.preview.replace(index.previews_dir / item.preview.name))
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        raise
    return [instrument_info(row) for row in rows]


def _row(
    item: _Prepared, library_id: str, encoder_hash: str, taken: set[str], corrections: Corrections
) -> InstrumentRow:
    lowest, highest = item.instrument.playable_range or (None, None)
    name, family = item.instrument.name, item.instrument.family
    earlier = corrections.of(item.instrument.source, name, encoder_hash, item.mean)
    name_corrected, family_corrected = (
        bool(earlier and earlier.name_corrected),
        bool(earlier and earlier.family_corrected),
    )
    return InstrumentRow(
        id=item.id,
        library_id=library_id,
        name=_free_name(earlier.name if earlier and name_corrected else name, taken),
        family=earlier.family if earlier and family_corrected else family,
        source_name=name,
        name_corrected=name_corrected,
        family_corrected=family_corrected,
        source=item.instrument.source,
        licence=item.instrument.licence,
        lowest_pitch=lowest,
        highest_pitch=highest,
        num_clips=len(item.clips),
        encoder_hash=encoder_hash,
        embedding=to_bytes(item.mean),
    )


def _free_name(name: str, taken: set[str]) -> str:
    """`name`, or `name (2)` and so on if it is taken; the answer is taken from now on."""
    name = " ".join(name.split()) or "unnamed"
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    taken.add(free)
    return free
