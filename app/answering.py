"""The steps from a mixture to its stored answer; they block and know nothing of HTTP.

Section 3.3 of Kim et al. 2022 between decoding and the document. The HTTP API, the terminal and the Python API share these
steps.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.access.ownership import Access
from app.heard_families import families_out
from app.query_store import QueryStore
from app.question import AskedRange, Question
from app.schemas import (
    HitOut,
    MatchOut,
    QueriedLibrary,
    QueryAnswer,
    RankedInstrumentOut,
    SlotHitOut,
    SlotOut,
)
from app.settings import Settings
from app.timelines import FamilyTimelines, rounded
from index.declarative import new_id
from index.decoding.workers import DecodeWorkers
from index.enrollment.hearing import hear_sound
from index.instrument_index import InstrumentIndex
from index.lane_families import most_probable
from index.query import HitReason, RankedInstrument, SlotResult, run_query
from index.records import Hit, LibraryInfo
from models.audio import Admit, Decoded
from models.audio_tracks import detect_format
from models.encoder_pair import EncoderPair
from models.errors import InvalidRequest, LibraryEmpty
from models.recognition.frame_level_recogniser import FamilyTimeline

LEAST_SHARE = 0.01  # of a lane's families in an answer


class DecodedUpload(NamedTuple):
    """A decoded mixture with the name and the suffix that its file is stored under."""

    name: str
    suffix: str
    decoded: Decoded
    decode_ms: float
    asked_again: str | None  # the stored query whose audio it is


class Answerer:
    """Answers questions from one index with one pair of encoders, and stores the answers. Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        index: InstrumentIndex,
        pair: EncoderPair,
        store: QueryStore,
        decoding: DecodeWorkers,
    ) -> None:
        self._settings = settings
        self._index = index
        self._pair = pair
        self._store = store
        self._decoding = decoding
        self.timelines = FamilyTimelines(pair)

    def library(self, question: Question, access: Access) -> LibraryInfo:
        """Return the library to search, which the caller must see. Raises InvalidRequest, LibraryNotFound, LibraryEmpty."""
        max_top_k = self._settings.max_top_k
        if question.top_k > max_top_k:
            raise InvalidRequest(
                f"top_k must be at most {max_top_k}, not {question.top_k}",
                value=question.top_k,
                limit=f"1 to {max_top_k}",
            )
        library = access.library_to_search(question.library)
        if library.num_instruments == 0:
            raise LibraryEmpty(
                f"library {library.name!r} holds no instruments", value=0, limit="at least 1 instrument"
            )
        return library

    def expected_seconds(self, path: Path, name: str, asked: AskedRange) -> float:
        """Return the length of the range that is asked about, as far as the file's header tells it. Raises AudioError."""
        return self._decoding.expected_seconds(
            path,
            start_seconds=asked.start_seconds,
            end_seconds=asked.end_seconds,
            max_seconds=self._settings.max_decoded_seconds,
            name=name,
        )

    def decode(
        self,
        path: Path,
        name: str,
        asked: AskedRange,
        asked_again: str | None = None,
        admit: Admit | None = None,
        sample_rate: int | None = None,
    ) -> DecodedUpload:
        """Decode the range that is asked about of the file at `path`, which the client calls `name`. Raises AudioError.

        `admit` is called with the seconds decoded so far and may refuse more. None: the encoder's `sample_rate`.
        """
        started = time.perf_counter()
        decoded = self._decoding.decode(
            path,
            sample_rate=sample_rate or self._pair.sample_rate,
            start_seconds=asked.start_seconds,
            end_seconds=asked.end_seconds,
            max_seconds=self._settings.max_decoded_seconds,
            name=name,
            admit=admit,
        )
        with path.open("rb") as file:
            kind, _ = detect_format(file, name)
        return DecodedUpload(name, f".{kind}", decoded, 1000 * (time.perf_counter() - started), asked_again)

    def answer(self, upload: DecodedUpload, library: LibraryInfo, question: Question) -> QueryAnswer:
        """Find the library's instruments in the mixture.

        Raises SilentAudio, EncoderMismatch, LibraryNotFound, LibraryEmpty.
        """
        query_id = new_id("q")
        result, timing_ms = run_query(
            self._index,
            self._pair,
            upload.decoded.samples,
            upload.decoded.range_seconds[0],
            library=library.id,
            as_published=question.mode == "paper",
            top_k=question.top_k,
            family=question.family,
            exclude=question.exclude,
            effects=question.effects,
        )
        slots = [slot_out(slot) for slot in result.slots]
        if self._pair.frame_level:
            began = time.perf_counter()
            timeline = self.timelines.compute(query_id, upload.decoded, result.families)
            if question.mode != "paper":
                slots = [refined(slot, timeline) for slot in slots]
            timing_ms["timeline"] = 1000 * (time.perf_counter() - began)
        start, end = upload.decoded.range_seconds
        return QueryAnswer(
            id=query_id,
            library=QueriedLibrary(id=library.id, name=library.name, num_instruments=library.num_instruments),
            mode=question.mode,
            encoder=self._pair.encoder_hash,
            name=upload.name,
            duration_seconds=round(upload.decoded.duration_seconds, 6),
            range_seconds=(round(start, 6), round(end, 6)),
            num_instruments=result.num_instruments,
            slots=slots,
            instruments=[ranked_out(ranked) for ranked in result.instruments],
            families=families_out(result.families),
            retrieved=sorted(result.retrieved),
            audio_url=f"/v1/queries/{query_id}/audio",
            asked_again=upload.asked_again,
            family=question.family,
            timing_ms={"decode": round(upload.decode_ms, 2)}
            | {key: round(ms, 2) for key, ms in timing_ms.items()},
        )

    def similar(self, sound: DecodedUpload, library: LibraryInfo, limit: int) -> list[Hit]:
        """Find the instruments of a library that sound like one sound, best first.

        Raises SilentAudio, EncoderMismatch, LibraryNotFound, LibraryEmpty.
        """
        vectors = self._index.searchable(library.id)
        heard = hear_sound(self._pair, sound.decoded.samples, sound.name)
        (hits,) = vectors.search(heard.mean[None], limit)
        return hits

    def keep(
        self,
        answer: QueryAnswer,
        audio: Path,
        suffix: str,
        storing: Callable[[Session], None] | None = None,
        key_id: str | None = None,
    ) -> None:
        """Store the answer to `key_id` and take over its audio, both or neither, with what `storing` stores."""
        self._store.add(answer, audio, suffix, storing, key_id)

    def ask(self, path: Path, name: str, question: Question, access: Access) -> QueryAnswer:
        """Run all steps, for callers without an event loop; the file at `path` is taken over when the answer is stored."""
        library = self.library(question, access)
        upload = self.decode(path, name, question)
        answer = self.answer(upload, library, question)
        self.keep(answer, path, upload.suffix)
        return answer


def slot_out(slot: SlotResult) -> SlotOut:
    """Convert a slot."""
    probability, word = slot.match
    return SlotOut(
        slot=slot.slot,
        presence=round(slot.presence, 4),
        active=[(round(start, 6), round(end, 6)) for start, end in slot.active],
        hits=[slot_hit_out(*pair) for pair in zip(slot.hits, slot.reasons, strict=True)],
        curve=[(round(second, 3), round(presence, 4)) for second, presence in slot.curve],
        family=most_probable(slot.families),
        families={name: round(share, 4) for name, share in slot.families.items() if share >= LEAST_SHARE},
        match=MatchOut(probability=round(probability, 4), word=word),
        close=word != "none",
    )


def refined(slot: SlotOut, timeline: FamilyTimeline) -> SlotOut:
    """The slot, active only where its family sounds by the timeline."""
    active = rounded(timeline.refined(slot.family, slot.active))
    return slot if active == rounded(slot.active) else slot.model_copy(update={"active": active})


def ranked_out(ranked: RankedInstrument) -> RankedInstrumentOut:
    """Convert an instrument of the ranking."""
    hit = hit_out(ranked.hit)
    return RankedInstrumentOut(
        **dict(hit), probability=round(ranked.probability, 4), slots=list(ranked.slots)
    )


def hit_out(hit: Hit) -> HitOut:
    """Convert a hit."""
    return HitOut(
        instrument_id=hit.instrument_id,
        name=hit.name,
        family=hit.family,
        recognised_family=hit.recognised_family,
        source=hit.source,
        similarity=round(hit.similarity, 4),
        preview_url=preview_url(hit.instrument_id),
    )


def slot_hit_out(hit: Hit, reason: HitReason) -> SlotHitOut:
    """Convert a hit of a slot."""
    start, end = reason.span
    lead = None if reason.lead is None else round(reason.lead, 4)
    return SlotHitOut(**dict(hit_out(hit)), best_span=(round(start, 6), round(end, 6)), lead=lead)


def preview_url(instrument_id: str) -> str:
    """Return the path of an instrument's preview."""
    return f"/v1/instruments/{instrument_id}/preview"
