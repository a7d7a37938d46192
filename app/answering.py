"""From a question about a file to the answer of the HTTP contract, in steps that block and know nothing of HTTP.

Section 3.3 of Kim et al. 2022 between decoding and the document; the service and the command line share these steps.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from app.default_library import DefaultLibrary, choose_library
from app.query_store import QueryStore
from app.schemas import HitOut, Mode
from app.settings import DEFAULT_TOP_K, Settings
from index.catalog import new_id
from index.families import FAMILIES
from index.instrument_index import InstrumentIndex
from index.query import SlotResult, run_query
from index.records import Hit, LibraryInfo
from models.audio import LATEST_SECONDS, Decoded, decode
from models.audio_tracks import detect_format
from models.encoder_pair import EncoderPair
from models.errors import InvalidRequest, LibraryEmpty

MAX_EXCLUDED = 1000


@dataclass(frozen=True)
class Question:
    """What is asked of a file: the form fields of POST /v1/queries."""

    library: str | None = None
    mode: Mode = "auto"
    top_k: int = DEFAULT_TOP_K
    start_seconds: float = 0.0
    end_seconds: float | None = None
    family: str | None = None
    exclude: tuple[str, ...] = ()

    def check(self, max_top_k: int) -> None:
        """Raises InvalidRequest for what can be seen to be wrong without the file."""
        if not 1 <= self.top_k <= max_top_k:
            limit = f"1 to {max_top_k}"
            raise InvalidRequest(f"top_k is {self.top_k}; it must be {limit}", value=self.top_k, limit=limit)
        if self.mode not in ("auto", "paper"):
            raise InvalidRequest(f"mode {self.mode!r} is unknown", value=self.mode, limit="auto, paper")
        if self.family is not None and self.family not in FAMILIES:
            limit = ", ".join(FAMILIES)
            raise InvalidRequest(f"family {self.family!r} is unknown", value=self.family, limit=limit)
        for name, seconds in (("start_seconds", self.start_seconds), ("end_seconds", self.end_seconds)):
            if seconds is not None and not 0 <= seconds <= LATEST_SECONDS:
                limit = f"0 to {LATEST_SECONDS:g}"
                raise InvalidRequest(f"{name} is {seconds}; it must be {limit}", value=seconds, limit=limit)
        if self.end_seconds is not None and self.end_seconds <= self.start_seconds:
            raise InvalidRequest(
                f"the range ends at {self.end_seconds} s, which is not after its start at {self.start_seconds} s",
                value=self.end_seconds,
                limit=f"more than {self.start_seconds}",
            )
        if len(self.exclude) > MAX_EXCLUDED:
            seen = len(self.exclude)
            raise InvalidRequest(
                f"{seen} instruments are too many to exclude", value=seen, limit=MAX_EXCLUDED
            )


class Heard(NamedTuple):
    """A question's file, decoded."""

    name: str
    suffix: str
    decoded: Decoded
    decode_ms: float
    asked_again: str | None  # the stored query whose audio it is


class Answerer:
    """Answers questions from one index with one pair of encoders, and keeps the answers. Safe to use from threads."""

    def __init__(
        self,
        settings: Settings,
        index: InstrumentIndex,
        pair: EncoderPair,
        store: QueryStore,
        default: DefaultLibrary | None,
    ) -> None:
        self._settings = settings
        self._index = index
        self._pair = pair
        self._store = store
        self._default = default

    def library(self, question: Question) -> LibraryInfo:
        """Check the question and find the library it means. Raises InvalidRequest, LibraryNotFound, LibraryEmpty."""
        question.check(self._settings.max_top_k)
        library = choose_library(self._index, question.library, self._default)
        if library.num_instruments == 0:
            raise LibraryEmpty(
                f"library {library.name!r} holds no instruments", value=0, limit="at least 1 instrument"
            )
        return library

    def hear(self, path: Path, name: str, question: Question, asked_again: str | None = None) -> Heard:
        """Decode the asked-for range of the file at `path`, which the client calls `name`. Raises AudioError."""
        started = time.perf_counter()
        decoded = decode(
            path,
            sample_rate=self._pair.sample_rate,
            start_seconds=question.start_seconds,
            end_seconds=question.end_seconds,
            max_seconds=self._settings.max_decoded_seconds,
            name=name,
        )
        with path.open("rb") as file:
            kind, _ = detect_format(file, name)
        return Heard(name, f".{kind}", decoded, 1000 * (time.perf_counter() - started), asked_again)

    def answer(self, heard: Heard, library: LibraryInfo, question: Question) -> dict[str, Any]:
        """Find the library's instruments in what was heard; the answer is the document of POST /v1/queries.

        Raises SilentAudio, EncoderMismatch, LibraryNotFound, LibraryEmpty.
        """
        result, timing_ms = run_query(
            self._index,
            self._pair,
            heard.decoded.samples,
            heard.decoded.range_seconds[0],
            library=library.id,
            mode=question.mode,
            top_k=question.top_k,
            family=question.family,
            exclude=question.exclude,
        )
        query_id = new_id("q")
        return {
            "id": query_id,
            "library": {"id": library.id, "name": library.name, "num_instruments": library.num_instruments},
            "mode": question.mode,
            "encoder": self._pair.encoder_hash,
            "name": heard.name,
            "duration_seconds": round(heard.decoded.duration_seconds, 6),
            "range_seconds": [round(second, 6) for second in heard.decoded.range_seconds],
            "num_instruments": result.num_instruments,
            "slots": [self._slot_out(slot) for slot in result.slots],
            "retrieved": sorted(result.retrieved),
            "audio_url": f"/v1/queries/{query_id}/audio",
            "asked_again": heard.asked_again,
            "timing_ms": {"decode": round(heard.decode_ms, 2)}
            | {key: round(ms, 2) for key, ms in timing_ms.items()},
        }

    def _slot_out(self, slot: SlotResult) -> dict[str, Any]:
        return {
            "slot": slot.slot,
            "presence": round(slot.presence, 4),
            "active": [[round(start, 6), round(end, 6)] for start, end in slot.active],
            "hits": [hit_out(hit).model_dump() for hit in slot.hits],
            "curve": [[round(second, 3), round(presence, 4)] for second, presence in slot.curve],
            "family": slot.family,
            "close": bool(slot.hits) and slot.hits[0].similarity >= self._pair.close_similarity,
        }

    def keep(self, answer: dict[str, Any], audio: Path, suffix: str) -> None:
        """Store the answer and take over its audio, both or neither."""
        self._store.add(answer, audio, suffix)

    def ask(self, path: Path, name: str, question: Question) -> dict[str, Any]:
        """All steps in a row, for callers without an event loop; `path` is taken over when the answer is stored."""
        library = self.library(question)
        heard = self.hear(path, name, question)
        answer = self.answer(heard, library, question)
        self.keep(answer, path, heard.suffix)
        return answer


def preview_url(instrument_id: str) -> str:
    return f"/v1/instruments/{instrument_id}/preview"


def hit_out(hit: Hit) -> HitOut:
    return HitOut(
        instrument_id=hit.instrument_id,
        name=hit.name,
        family=hit.family,
        source=hit.source,
        similarity=round(hit.similarity, 4),
        preview_url=preview_url(hit.instrument_id),
    )
