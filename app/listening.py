"""Decodes a recording within the limits of memory, hears it in its turn, and stores the answer.

Everything blocks in threads, off the event loop, and what fails leaves nothing behind.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from anyio import to_thread
from sqlalchemy.orm import Session

from app.access.ownership import Access
from app.answering import DecodedUpload
from app.engine import Engine
from app.heard_families import RecognitionOut, recognition_of
from app.idempotency import AnsweredKeys, KeyedRequest
from app.isolation import LaneIsolator, isolated_range
from app.memory import release_free_memory
from app.metrics import Metrics
from app.parts import QueryParts, asked_range
from app.query_queue import HeldAudio, QueryQueue
from app.question import AskedRange, Question
from app.schemas import QueryAnswer
from app.timelines import TimelineOut, timeline_out
from app.tracing import span
from app.uploads import Upload, save
from index.records import Hit, LibraryInfo
from models.audio import Decoded
from models.recognition.lane_isolation import ISOLATED_SAMPLE_RATE

T = TypeVar("T")
LONG_QUERY_SECONDS = 60.0  # from which on its memory is given back to the system at once


class Listening:
    """Queries, recognitions, timelines, parts and isolated lanes of one data folder, each of which holds a place in `queue`."""

    def __init__(
        self,
        engine: Engine,
        queue: QueryQueue,
        keys: AnsweredKeys,
        metrics: Metrics,
        queried_library: Callable[[Question, Access], LibraryInfo],
    ) -> None:
        """`queried_library` returns the library that a caller asks about, or raises why it cannot be asked now."""
        self._engine = engine
        self._queue = queue
        self._keys = keys
        self._metrics = metrics
        self._queried_library = queried_library
        self._isolator = LaneIsolator(engine.index.folder.tmp_dir)

    async def ask(
        self, upload: Upload, question: Question, access: Access, request: KeyedRequest | None = None
    ) -> QueryAnswer:
        """Answer a caller's question about an uploaded file, off the event loop; a failed query leaves nothing behind.

        The answer is stored with the key of its `request`, if it has one.
        """

        def fetch(path: Path) -> str:
            save(upload, path)
            return upload.name

        return await self._ask(fetch, question, access, None, request)

    async def ask_again(
        self, query_id: str, question: Question, access: Access, request: KeyedRequest | None = None
    ) -> QueryAnswer:
        """Answer a question about the audio of a query that the caller has asked before. Raises QueryNotFound."""

        def fetch(path: Path) -> str:
            return self._engine.queries.link_audio(access.query(query_id), path)

        return await self._ask(fetch, question, access, query_id, request)

    async def _ask(
        self,
        fetch: Callable[[Path], str],
        question: Question,
        access: Access,
        asked_again: str | None,
        request: KeyedRequest | None,
    ) -> QueryAnswer:
        """`fetch` writes the audio to the given path and returns its file name."""
        started = perf_counter()
        library = await to_thread.run_sync(self._queried_library, question, access)
        with self._temporary_folder() as folder, self._queue.hold_audio() as held:
            path = folder / "query"
            name = await to_thread.run_sync(fetch, path)
            answer, suffix = await self._answer(path, name, library, question, asked_again, held)

            def keep() -> None:
                def storing(session: Session) -> None:
                    self._keys.store(session, request, answer.model_dump_json())

                with span("store"):
                    self._engine.answerer.keep(answer, path, suffix, storing, access.caller.key_id)

            await to_thread.run_sync(keep)
            if held.seconds >= LONG_QUERY_SECONDS:
                await to_thread.run_sync(release_free_memory)
        self._metrics.query(answer.timing_ms, 1000 * (perf_counter() - started))
        return answer

    async def _answer(
        self,
        path: Path,
        name: str,
        library: LibraryInfo,
        question: Question,
        asked_again: str | None,
        held: HeldAudio,
    ) -> tuple[QueryAnswer, str]:
        """Decode and answer within the limit of audio in memory; the suffix of the file comes second."""
        upload = await self._decoded(path, name, question, held, asked_again)

        def hear() -> QueryAnswer:
            with span("answer", library=library.id) as heard:
                answer = self._engine.answerer.answer(upload, library, question)
                heard.set_attributes({f"showme.{stage}_ms": ms for stage, ms in answer.timing_ms.items()})
            return answer

        return await self._queue.infer(hear), upload.suffix

    async def recognise(self, upload: Upload, asked: AskedRange) -> RecognitionOut:
        """Recognise the families of instruments in an uploaded file, of which nothing is stored."""
        with self._temporary_folder() as folder, self._queue.hold_audio() as held:
            path = folder / "recording"
            await to_thread.run_sync(save, upload, path)
            decoded = (await self._decoded(path, upload.name, asked, held)).decoded

            def hear() -> RecognitionOut:
                with span("recognise"):
                    return recognition_of(self._engine.pair, decoded, upload.name)

            found = await self._queue.infer(hear)
            if held.seconds >= LONG_QUERY_SECONDS:
                await to_thread.run_sync(release_free_memory)
        return found

    async def similar(
        self, upload: Upload, asked: AskedRange, library: str | None, limit: int, access: Access
    ) -> list[Hit]:
        """Find the instruments of a library that sound like one uploaded sound, of which nothing is stored."""
        chosen = await to_thread.run_sync(self._queried_library, Question(library=library), access)
        with self._temporary_folder() as folder, self._queue.hold_audio() as held:
            path = folder / "sound"
            await to_thread.run_sync(save, upload, path)
            sound = await self._decoded(path, upload.name, asked, held)

            def hear() -> list[Hit]:
                with span("similar", library=chosen.id):
                    return self._engine.answerer.similar(sound, chosen, limit)

            return await self._queue.infer(hear)

    async def timeline(self, query_id: str, key_id: str | None) -> TimelineOut:
        """Which families sound when in a stored query, asked by a key.

        Raises QueryNotFound, and RecogniserMissing without a network for it.
        """
        self._engine.pair.frame_level_recogniser()
        answer = await to_thread.run_sync(self._engine.queries.answer, query_id)
        timelines = self._engine.answerer.timelines
        timeline = timelines.kept(query_id)
        if timeline is None:
            path = await to_thread.run_sync(self._engine.queries.audio, query_id)
            timeline = await self._hear_again(
                path, answer, key_id, lambda decoded: timelines.compute(query_id, decoded)
            )
        return await to_thread.run_sync(timeline_out, query_id, timeline)

    async def parts(self, query_id: str, key_id: str | None) -> QueryParts:
        """The notes of each slot of a stored query, asked by a key.

        Raises QueryNotFound, and AudioGone where only the answer is stored.
        """
        answer = await to_thread.run_sync(self._engine.queries.answer, query_id)
        reader = self._engine.part_reader
        path = await to_thread.run_sync(self._engine.queries.kept_audio, query_id)
        kept = await to_thread.run_sync(reader.kept, answer, path)
        if kept is not None:
            return kept
        return await self._hear_again(
            path, answer, key_id, lambda decoded: reader.read(answer, path, decoded)
        )

    async def isolated(self, query_id: str, slot: int, mute: bool, key_id: str | None) -> Path:
        """The mp3 of what a slot of a stored query isolates, or of the mixture without it (`mute`), asked by a key.

        Raises QueryNotFound, SlotNotFound, and AudioGone where only the answer is stored.
        """
        parts = await self.parts(query_id, key_id)
        kept = await to_thread.run_sync(lambda: self._isolator.kept(parts, slot, mute=mute))
        if kept is not None:
            return kept
        path = await to_thread.run_sync(self._engine.queries.kept_audio, query_id)
        name, asked = parts.answer.name, isolated_range(parts.answer)
        async with self._queue.admit(key_id):
            with self._queue.hold_audio() as held:
                upload = await self._decoded(path, name, asked, held, sample_rate=ISOLATED_SAMPLE_RATE)
                return await self._queue.render(
                    lambda: self._isolator.isolate(parts, slot, upload.decoded, mute=mute)
                )

    async def _hear_again(
        self, path: Path, answer: QueryAnswer, key_id: str | None, hear: Callable[[Decoded], T]
    ) -> T:
        """Decode the range of a stored query at `path`, and hear it, in its turn."""
        async with self._queue.admit(key_id):
            with self._queue.hold_audio() as held:
                decoded = (await self._decoded(path, answer.name, asked_range(answer), held)).decoded
                return await self._queue.infer(lambda: hear(decoded))

    async def _decoded(
        self,
        path: Path,
        name: str,
        asked: AskedRange,
        held: HeldAudio,
        asked_again: str | None = None,
        sample_rate: int | None = None,
    ) -> DecodedUpload:
        """Decode the range that is asked about; `held` holds as many seconds as there are, at the encoder's rate."""
        answerer = self._engine.answerer
        weight = (sample_rate or self._engine.pair.sample_rate) / self._engine.pair.sample_rate
        held.set_to(weight * await to_thread.run_sync(answerer.expected_seconds, path, name, asked))

        def admit(seconds: float) -> None:
            held.grow_to(weight * seconds)

        def decode() -> DecodedUpload:
            with span("decode") as decoding:
                upload = answerer.decode(path, name, asked, asked_again, admit, sample_rate)
                decoding.set_attribute("showme.audio_seconds", upload.decoded.duration_seconds)
            return upload

        upload = await self._queue.decode(decode)
        start, end = upload.decoded.range_seconds
        held.set_to(min(held.seconds, weight * (end - start)))
        return upload

    @contextmanager
    def _temporary_folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="query_", dir=self._engine.index.folder.tmp_dir))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
