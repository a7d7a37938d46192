"""Enrollment: render a source's instruments, embed their clips, and store all of them in one transaction.

Section 5.1 of Kim et al. 2022: an instrument's enrollment embedding is the mean of its clips' embeddings, here normalised.
The family of an instrument whose source names none is recognised from the same clips, where there is a solo network.
Nothing is stored before the transaction commits: a cancelled, failed or killed enrollment leaves nothing behind.
"""

import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sqlalchemy import insert
from sqlalchemy.orm import Session

from index.catalog import Clip, Instrument, Library, to_bytes
from index.declarative import new_id
from index.instrument_index import InstrumentIndex
from index.instruments import Corrections
from index.maps import MapDraft
from index.records import InstrumentInfo, instrument_info, instruments_of, library_info
from index.sources.base import Floats, InstrumentSource, SourceInstrument
from models.audio import write_mp3
from models.encoder_pair import EncoderPair
from models.errors import AudioError, LibraryNotFound, SilentAudio, SourceError

Progress = Callable[[int, int, str], None]
Storing = Callable[[Session, "EnrollReport"], None]

DRAWING = "drawing the map"  # the progress message after the last instrument

_MIN_MEAN_NORM = 1e-3  # below it the clips' embeddings cancel out, and their mean has no direction


@dataclass(frozen=True)
class EnrollReport:
    """The instruments that were added, and the (name, reason) of each instrument or file that was skipped."""

    added: list[InstrumentInfo]
    skipped: list[tuple[str, str]]
    cancelled: bool = False


class HeardInstrument(NamedTuple):
    """The encoder's and the solo network's view of an instrument: `clips [clips, dim]`, and their normalised `mean [dim]`.

    `families` are the recognised probabilities, None where its source names the family or nothing recognises one.
    """

    clips: Floats
    mean: Floats
    families: dict[str, float] | None


@dataclass(frozen=True)
class _EmbeddedInstrument:
    """An instrument that is ready to be stored under `id`; its preview, if any, is in a temporary folder."""

    id: str
    instrument: SourceInstrument
    heard: HeardInstrument
    preview: Path | None


def hear_instrument(pair: EncoderPair, instrument: SourceInstrument) -> HeardInstrument:
    """Embed an instrument's clips, and recognise its family if its source names none.

    Raises SourceError if it has no usable clip, or if its embeddings cancel out.
    """
    audio = instrument.clips(pair.sample_rate, pair.clip_samples)
    clips = pair.embed(audio)
    mean = clips.mean(axis=0)
    norm = float(np.linalg.norm(mean))
    if not norm > _MIN_MEAN_NORM:  # also true for NaN
        raise SourceError(
            f"the clips of {instrument.name} have no usable mean embedding", value=instrument.source
        )
    families = _recognised(pair, audio) if instrument.family is None else None
    return HeardInstrument(clips, mean / norm, families)


def _recognised(pair: EncoderPair, audio: Floats) -> dict[str, float] | None:
    """The probability of each family of `audio [clips, samples]`; None without a solo network, or if it hears silence."""
    if pair.solo is None:
        return None
    try:
        shares = pair.solo.recognise(list(audio))
    except SilentAudio:  # the gate of its windows is a little above that of whole clips
        return None
    return {family: round(share, 4) for family, share in shares.items()}


def enroll(
    index: InstrumentIndex,
    pair: EncoderPair,
    library_id: str,
    source: InstrumentSource,
    *,
    opened_at: Path | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    storing: Storing | None = None,
) -> EnrollReport:
    """Add the instruments of `source` to the library (id or name); unusable instruments are skipped with a reason.

    `opened_at` is the path at which `source` was opened, for embedding it again with another encoder (`index/reembed.py`).
    `storing(session, report)` is called in the transaction that stores the instruments, for what is to be stored with them.

    `progress(done, total, name)` is called once at the start, after each instrument, and with DRAWING before the library's
    map is drawn. `cancelled()` is asked before each instrument and while drawing; a cancelled enrollment adds nothing.
    Raises LibraryNotFound, EncoderMismatch, and SourceError if no instrument could be used.
    """
    index.check_pair(pair.encoder_hash)
    library = index.libraries.get(library_id)
    index.check_encoder(library)
    folder = Path(tempfile.mkdtemp(prefix="enroll-", dir=index.folder.tmp_dir))
    try:
        with _PreviewWriter(folder) as previews:
            embedded, skipped = _embed_all(pair, source, previews, progress, cancelled or (lambda: False))
        if embedded is None or (cancelled and cancelled()):
            return EnrollReport([], [], cancelled=True)
        if not embedded:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3])
            raise SourceError(
                f"no instrument of {source.name} could be enrolled ({reasons})", value=source.name
            )
        if progress:
            progress(len(source), len(source), DRAWING)
        means = np.stack([item.heard.mean for item in embedded])
        draft = index.maps.draft(library.id, means, cancelled or (lambda: False))
        if cancelled and cancelled():
            return EnrollReport([], [], cancelled=True)
        report = _store(index, library.id, embedded, skipped, draft, opened_at, storing)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    index.vectors.get(library.id, index.libraries.revision(library.id))
    return report


class _PreviewWriter:
    """Encodes previews to mp3 in a thread of its own while the next instrument is rendered."""

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
        """Start encoding and return the path of the mp3; first wait for the one before and raise its error, if any."""
        if self._last:
            self._last.result()
        path = self._folder / f"{instrument_id}.mp3"
        self._last = self._thread.submit(write_mp3, path, samples, sample_rate)
        return path


def _embed_all(
    pair: EncoderPair,
    source: InstrumentSource,
    previews: _PreviewWriter,
    progress: Progress | None,
    cancelled: Callable[[], bool],
) -> tuple[list[_EmbeddedInstrument] | None, list[tuple[str, str]]]:
    """Embed all instruments of the source; return them and the skipped ones, or None and nothing when cancelled."""
    report = progress or (lambda done, total, name: None)
    embedded: list[_EmbeddedInstrument] = []
    skipped: list[tuple[str, str]] = list(source.faults)
    report(0, len(source), "")
    for done, instrument in enumerate(source, 1):
        if cancelled():
            return None, []
        try:
            embedded.append(_embed(pair, instrument, previews, skipped))
        except (SourceError, AudioError) as error:
            skipped.append((instrument.name, error.message))  # the message names the files
        else:
            skipped += [(f"{instrument.name}/{part}", reason) for part, reason in instrument.faults]
        report(done, len(source), instrument.name)
    return embedded, skipped


def _embed(
    pair: EncoderPair, instrument: SourceInstrument, previews: _PreviewWriter, skipped: list[tuple[str, str]]
) -> _EmbeddedInstrument:
    """Hear an instrument and start writing its preview; a preview that fails is skipped."""
    heard = hear_instrument(pair, instrument)
    instrument_id = new_id("i")
    preview: Path | None = None
    try:
        preview = previews.write(instrument_id, *instrument.preview())
    except SourceError as error:
        skipped.append((f"{instrument.name}, its preview", error.message))
    return _EmbeddedInstrument(instrument_id, instrument, heard, preview)


def _store(
    index: InstrumentIndex,
    library_id: str,
    embedded: list[_EmbeddedInstrument],
    skipped: list[tuple[str, str]],
    draft: MapDraft | None,
    opened_at: Path | None,
    storing: Storing | None,
) -> EnrollReport:
    """Store all rows and the map in one transaction; previews are moved into place just before it commits."""
    moved: list[Path] = []
    try:
        with index.catalog.write(patient=True) as session:
            library = session.get(Library, library_id)
            if library is None or library.deleted_at is not None:
                raise LibraryNotFound(f"library {library_id} was deleted meanwhile", value=library_id)
            # Another process may have enrolled meanwhile.
            index.check_encoder(library_info(session, library, index.encoder_hash))
            taken = set(session.scalars(instruments_of(library_id).with_only_columns(Instrument.name)))
            # An empty library takes the encoder of its first instruments.
            library.encoder_hash = index.encoder_hash
            library.revision += 1
            rows = _insert(session, library, embedded, taken)
            for row in rows:
                row.source_path = index.folder.stored_path(opened_at) if opened_at else None
            if draft:
                draft.store(session, library, [row.vector_id for row in rows])
            for item in embedded:
                if item.preview is not None:
                    moved.append(item.preview.replace(index.folder.previews_dir / item.preview.name))
            report = EnrollReport([instrument_info(row) for row in rows], skipped)
            if storing:
                storing(session, report)
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        raise
    return report


def _insert(
    session: Session, library: Library, embedded: list[_EmbeddedInstrument], taken: set[str]
) -> list[Instrument]:
    """Insert the instruments and their clips; names in `taken` are in use."""
    corrections = Corrections(session, library.id)
    rows = [_new_row(item, library, taken, corrections) for item in embedded]
    session.add_all(rows)
    session.flush()
    clips = [
        {"vector_id": row.vector_id, "position": position, "embedding": to_bytes(clip)}
        for row, item in zip(rows, embedded, strict=True)
        for position, clip in enumerate(item.heard.clips)
    ]
    session.execute(insert(Clip), clips)
    return rows


def _new_row(
    item: _EmbeddedInstrument, library: Library, taken: set[str], corrections: Corrections
) -> Instrument:
    """Make the row of an instrument, with the name and family that a person gave it earlier, if any."""
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
        name=_free_name(earlier.name if earlier and name_corrected else name, taken),
        family=earlier.family if earlier and family_corrected else family,
        families=item.heard.families,
        source_name=name,
        name_corrected=name_corrected,
        family_corrected=family_corrected,
        source=item.instrument.source,
        source_key=item.instrument.id,
        licence=item.instrument.licence,
        lowest_pitch=lowest,
        highest_pitch=highest,
        num_clips=len(item.heard.clips),
        encoder_hash=library.encoder_hash,
        embedding=to_bytes(item.heard.mean),
    )


def _free_name(name: str, taken: set[str]) -> str:
    """Return `name`, or `name (2)` and so on if it is taken, and add the result to `taken`."""
    name = " ".join(name.split()) or "unnamed"
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    taken.add(free)
    return free
