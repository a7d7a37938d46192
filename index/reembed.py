"""Re-embedding: new embeddings for a library that another encoder has embedded, under the same ids and corrections.

docs/ARCHITECTURE.md, decision 1. New embeddings are stored beside the old ones, instrument by instrument, so that a cancelled
or killed re-embedding is continued later. One transaction then exchanges them, and the old ones are kept for the case that
their encoder comes back. An instrument of which nothing can be embedded any more is named in the report and is not searched.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.orm import Session

from index.catalog import Clip, Instrument, Library, LibraryMap, OtherEmbedding
from index.enroll import DRAWING, Progress
from index.enrollment.hearing import hear_instrument
from index.instrument_index import InstrumentIndex
from index.records import instruments_of
from index.source_finder import EnrolledInstrument, FoundInstrument, GivenSource, SourceFinder
from index.sources.opening import IN_PROCESS, SourceOpener
from index.stored_embeddings import from_bytes, to_bytes
from models.encoder_pair import EncoderPair
from models.error_kind import kind_of
from models.errors import AudioError, IndexDamaged, LibraryNotFound, SourceError

log = logging.getLogger(__name__)

_BATCH = 500  # instruments whose embeddings are replaced by one statement


@dataclass(frozen=True)
class ReembedReport:
    """How many instruments have new embeddings, and how many of these are of previews, whose sources were not kept.

    `skipped` are the (name, reason) of each instrument that is as stale as before, `lost` the paths of sources that could
    not be opened.
    """

    num_updated: int
    num_from_previews: int
    skipped: list[tuple[str, str]]
    lost: list[Path]
    cancelled: bool = False


def reembed(
    index: InstrumentIndex,
    pair: EncoderPair,
    library_id: str,
    opener: SourceOpener = IN_PROCESS,
    *,
    given: Sequence[GivenSource] = (),
    roots: Sequence[Path] | None = None,
    use_previews: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ReembedReport:
    """Embed the stale instruments of a library (id or name) again, and those that only have their previews' embeddings.

    Each is looked for in the `given` sources, then where it was enrolled from, which `opener` opens if it lies below one of
    `roots` (None: anywhere) or in the data folder. The preview serves where that was not recorded; with `use_previews`, also
    where the source is gone. `progress(done, total, name)` is called as by `enroll`.
    A cancelled re-embedding changes nothing and is continued by the next one. Raises LibraryNotFound and EncoderMismatch.
    """
    index.check_pair(pair.encoder_hash)
    library = index.libraries.get(library_id)
    report, is_cancelled = progress or (lambda done, total, name: None), cancelled or (lambda: False)
    finder = SourceFinder(index.folder, given, opener, roots)
    rows = list(_to_embed(index, library.id, finder))
    num_there = _count_waiting(index, library.id)
    total = num_there + len(rows)
    skipped: list[tuple[str, str]] = []
    report(num_there, total, "")
    for done, row in enumerate(rows, num_there + 1):
        if is_cancelled():
            return ReembedReport(0, 0, [], [], cancelled=True)
        try:
            found = _find(finder, row, use_previews)
            _store_new(index, row, found, pair)
        except (SourceError, AudioError) as error:
            skipped.append((row.name, error.message))
        except OSError as error:
            skipped.append((row.name, f"its source cannot be read: {error.strerror}"))
        report(done, total, row.name)
    if is_cancelled():
        return ReembedReport(0, 0, [], [], cancelled=True)
    updated = _replace(index, library.id)
    report(total, total, DRAWING)
    _follow(index, library.id)
    return ReembedReport(len(updated), sum(updated), skipped, sorted(finder.lost))


def _to_embed(index: InstrumentIndex, library_id: str, finder: SourceFinder) -> Iterator[EnrolledInstrument]:
    """The stale instruments, and those embedded from previews whose sources are there now, unless new ones wait."""
    columns = [getattr(Instrument, name) for name in EnrolledInstrument._fields]
    is_stale = Instrument.encoder_hash != index.encoder_hash
    waiting = select(OtherEmbedding.vector_id).where(OtherEmbedding.encoder_hash == index.encoder_hash)
    rows = instruments_of(library_id).with_only_columns(*columns, is_stale)
    rows = rows.where(is_stale | Instrument.from_preview, Instrument.vector_id.not_in(waiting))
    with index.catalog.session() as session:
        found = session.execute(
            rows.order_by(None).order_by(Instrument.source_path, Instrument.vector_id)
        ).all()
    for *values, stale in found:
        row = EnrolledInstrument(*values)
        if stale or _has_source(finder, row):
            yield row


def _has_source(finder: SourceFinder, row: EnrolledInstrument) -> bool:
    try:
        finder.find(row)
    except SourceError:
        return False
    return True


def _find(finder: SourceFinder, row: EnrolledInstrument, use_previews: bool) -> FoundInstrument:
    """The instrument in its source, or its preview where that is allowed. Raises SourceError."""
    try:
        return finder.find(row)
    except SourceError:
        if row.source_path is None or use_previews:
            return finder.find_preview(row)
        raise


def _store_new(
    index: InstrumentIndex, row: EnrolledInstrument, found: FoundInstrument, pair: EncoderPair
) -> None:
    """Embed an instrument, and store the result beside its embedding; an instrument purged meanwhile is left out.

    Families that are recognised replace earlier ones at once: they do not belong to the encoder.
    """
    heard = hear_instrument(pair, found.instrument)
    new = OtherEmbedding(
        vector_id=row.vector_id,
        encoder_hash=index.encoder_hash,
        embedding=to_bytes(heard.mean),
        clips=to_bytes(heard.clips),
        from_preview=found.source_path is None,
    )
    with index.catalog.write(patient=True) as session:
        instrument = session.get(Instrument, row.vector_id)
        if instrument is None:
            return
        session.merge(new)
        if instrument.family is None and heard.families:
            instrument.families = heard.families
        if found.source_path is not None:
            instrument.source_path, instrument.source_key = found.source_path, found.instrument.id


def _count_waiting(index: InstrumentIndex, library_id: str) -> int:
    with index.catalog.session() as session:
        return len(session.execute(_waiting_of(index, library_id)).all())


def _waiting_of(index: InstrumentIndex, library_id: str) -> Select[int, bool]:
    """Select vector id and `from_preview` of the library's new embeddings that wait to replace the old ones."""
    ours = (Instrument.library_id == library_id) & (OtherEmbedding.encoder_hash == index.encoder_hash)
    columns = (OtherEmbedding.vector_id, OtherEmbedding.from_preview)
    return select(*columns).join(Instrument, Instrument.vector_id == OtherEmbedding.vector_id).where(ours)


def _replace(index: InstrumentIndex, library_id: str) -> list[bool]:
    """Replace the old embeddings by those that wait, in one transaction; return for each whether a preview gave it."""
    with index.catalog.write(patient=True) as session:
        library = session.get(Library, library_id)
        if library is None or library.deleted_at is not None:
            raise LibraryNotFound(f"library {library_id} was deleted meanwhile", value=library_id)
        waiting = session.execute(_waiting_of(index, library_id)).all()
        ids = [vector_id for vector_id, _ in waiting]
        for start in range(0, len(ids), _BATCH):
            _replace_batch(session, ids[start : start + _BATCH], index.encoder_hash)
        ours = instruments_of(library_id).where(Instrument.encoder_hash == index.encoder_hash)
        has_ours = session.scalars(ours.with_only_columns(Instrument.vector_id).limit(1)).first() is not None
        if ids or (has_ours and library.encoder_hash != index.encoder_hash):
            library.encoder_hash = index.encoder_hash if has_ours else library.encoder_hash
            library.revision += 1
            library.vectors_revision = library.revision
            session.execute(delete(LibraryMap).where(LibraryMap.library_id == library_id))
    return [from_preview for _, from_preview in waiting]


def _replace_batch(session: Session, vector_ids: list[int], encoder_hash: str) -> None:
    """Exchange these instruments' embeddings and their clips' with the waiting ones; those of the last encoder are kept."""
    chosen = OtherEmbedding.vector_id.in_(vector_ids)
    waiting = chosen & (OtherEmbedding.encoder_hash == encoder_hash)
    new = session.execute(select(*OtherEmbedding.__table__.columns).where(waiting)).all()
    earlier = [old for old in _present(session, vector_ids) if old["encoder_hash"] != encoder_hash]
    exchanged = [old["vector_id"] for old in earlier]
    session.execute(delete(OtherEmbedding).where(waiting | OtherEmbedding.vector_id.in_(exchanged)))
    session.execute(delete(Clip).where(Clip.vector_id.in_(vector_ids)))
    instruments: list[dict[str, Any]] = []
    clips: list[dict[str, Any]] = []
    for row in new:
        embedded = from_bytes(row.clips).reshape(-1, len(row.embedding) // 4)  # [clips, dim]
        values = row._asdict()
        del values["clips"]
        instruments.append(values | {"num_clips": len(embedded)})
        clips += [
            {"vector_id": row.vector_id, "position": position, "embedding": to_bytes(clip)}
            for position, clip in enumerate(embedded)
        ]
    session.execute(update(Instrument), instruments)
    session.execute(insert(Clip), clips)
    if earlier:
        session.execute(insert(OtherEmbedding), earlier)


def _present(session: Session, vector_ids: list[int]) -> Iterator[dict[str, Any]]:
    """The instruments' present embeddings as rows of `OtherEmbedding`; damaged ones are left out."""
    clips_of: dict[int, list[bytes]] = defaultdict(list)
    clips = select(Clip.vector_id, Clip.embedding).where(Clip.vector_id.in_(vector_ids))
    for vector_id, embedding in session.execute(clips.order_by(Clip.vector_id, Clip.position)):
        clips_of[vector_id].append(embedding)
    columns = (Instrument.vector_id, Instrument.encoder_hash, Instrument.embedding, Instrument.from_preview)
    for row in session.execute(select(*columns).where(Instrument.vector_id.in_(vector_ids))):
        lengths = {len(row.embedding), *map(len, clips_of[row.vector_id])}
        if clips_of[row.vector_id] and len(lengths) == 1:
            yield row._asdict() | {"clips": b"".join(clips_of[row.vector_id])}


def _follow(index: InstrumentIndex, library_id: str) -> None:
    """Load the new vectors and draw the map; the embeddings are stored, so a fault here is only logged."""
    try:
        index.vectors.get(library_id, index.libraries.revision(library_id))
        index.maps.get(library_id)
    except (IndexDamaged, LibraryNotFound) as error:
        log.warning("library %s: %s", library_id, kind_of(error))
