"""What a running service holds, from the encoders to the metrics, opened and closed as one.

Lives on `app.state.service`; routes get it through `app/deps.py` and the command line opens the same parts without HTTP.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from anyio import to_thread

from app.answering import Answerer, Question
from app.default_library import DefaultLibrary, check_default_keeps_its_name
from app.engine import Engine
from app.job_store import JobStore, JobView
from app.jobs import JobRunner, Listener
from app.metrics import Metrics
from app.query_store import QueryStore
from app.settings import Settings
from app.uploads import Upload, save, stage
from index.instrument_index import InstrumentIndex
from index.records import LibraryInfo
from index.vector_store import faiss_runs_on_gpu
from models.encoder_pair import EncoderPair
from models.errors import Busy, JobConflict

FAISS_BUILDS = ("faiss-cpu", "faiss-gpu", "faiss-gpu-cuvs")  # all of them the same module


class Service:
    """One data folder being served by one pair of encoders."""

    def __init__(
        self, settings: Settings, pair: EncoderPair, metrics: Metrics, listener: Listener | None = None
    ) -> None:
        """Open the data folder; the default library begins to fill in the background if it is not there yet."""
        self.settings = settings
        self.pair = pair
        self.metrics = metrics
        self.default = DefaultLibrary.of_setting(settings.default_library)
        self.index = open_index(settings, pair)
        self.engine = Engine(settings.max_waiting_queries)
        self.jobs = JobRunner(
            self.index, pair, JobStore(self.index.catalog), settings.max_waiting_jobs, listener
        )
        store = QueryStore(self.index.catalog, self.index.folder.queries_dir, settings.max_stored_queries)
        self.answerer = Answerer(settings, self.index, pair, store, self.default)
        self.queries = store
        store.sweep()
        self.jobs.start()
        self.first_fill = self._fill_default()
        self._add_gauges()

    def close(self) -> None:
        """Interrupt the jobs and close the data folder."""
        self.jobs.stop()
        self.index.close()

    async def ask(self, upload: Upload, question: Question) -> dict[str, Any]:
        """Answer a question about an uploaded file, off the event loop; nothing stays unless there is an answer."""

        def fetch(path: Path) -> str:
            save(upload, path)
            return upload.name

        return await self._ask(fetch, question, None)

    async def ask_again(self, query_id: str, question: Question) -> dict[str, Any]:
        """Answer a question about the audio of a stored query. Raises QueryNotFound."""
        return await self._ask(lambda path: self.queries.lend(query_id, path), question, query_id)

    async def _ask(
        self, fetch: Callable[[Path], str], question: Question, asked_again: str | None
    ) -> dict[str, Any]:
        """`fetch` puts the audio where it is told and returns the name it goes by."""
        library = await to_thread.run_sync(self._queried_library, question)
        with self._temporary_folder() as folder:
            path = folder / "query"
            name = await to_thread.run_sync(fetch, path)
            heard = await self.engine.decode(lambda: self.answerer.hear(path, name, question, asked_again))
            answer = await self.engine.infer(lambda: self.answerer.answer(heard, library, question))
            await to_thread.run_sync(self.answerer.keep, answer, path, heard.suffix)
        self.metrics.query(answer["timing_ms"])
        return answer

    def enroll_uploads(self, library: LibraryInfo, uploads: Sequence[Upload]) -> JobView:
        """Stage the files and queue their enrollment; the staged files go when the job has ended."""
        if library.num_instruments:
            self.index.check_encoder(library.name, library.encoder_hash)
        folder = Path(tempfile.mkdtemp(prefix="enroll_", dir=self.index.folder.tmp_dir))
        try:
            source = stage(uploads, folder, self.settings)
            return self.jobs.submit(library.id, source, lambda: shutil.rmtree(folder))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def delete_library(self, library_id: str) -> None:
        """It can be restored for a while. Raises LibraryNotFound, and JobConflict while it is being enrolled into."""
        library = self.index.libraries.get(library_id)
        if running := self.jobs.in_flight(library.id):
            job = running[0]
            raise JobConflict(f"job {job.id} is adding instruments to it; cancel it first", value=job.state)
        self.index.libraries.delete(library.id)

    def rename_library(self, library_id: str, name: str) -> LibraryInfo:
        """Raises LibraryNotFound, LibraryExists, and InvalidRequest for the default library, which is known by its name."""
        library = self.index.libraries.get(library_id)
        check_default_keeps_its_name(library, name, self.default)
        return self.index.libraries.rename(library.id, name)

    def filling(self) -> JobView | None:
        """The default library's enrollment, while it has not come to a good end."""
        view = self.jobs.view(self.first_fill) if self.first_fill else None
        return None if view is None or view.state == "done" else view

    def _queried_library(self, question: Question) -> LibraryInfo:
        filling = self.filling()
        if (
            filling
            and not filling.finished
            and question.library in (None, "", self.default and self.default.name)
        ):
            progress = f"{filling.done} of {filling.total}"
            raise Busy(
                f"the default library is still being enrolled: {progress}",
                value=filling.done,
                limit=filling.total,
            )
        return self.answerer.library(question)

    def _fill_default(self) -> str | None:
        to_fill = self.default.to_fill(self.index) if self.default else None
        return self.jobs.submit(to_fill[0].id, to_fill[1]).id if to_fill else None

    @contextmanager
    def _temporary_folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="query_", dir=self.index.folder.tmp_dir))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _add_gauges(self) -> None:
        gauge = self.metrics.gauge
        gauge(
            "showme_queries_in_flight",
            "Queries admitted and not yet answered.",
            lambda: self.engine.in_flight,
        )
        gauge("showme_jobs_in_flight", "Enrollments queued or running.", lambda: len(self.jobs.in_flight()))
        gauge("showme_libraries", "Libraries.", lambda: len(self.index.libraries.all()))
        gauge(
            "showme_instruments",
            "Instruments in all libraries.",
            lambda: sum(library.num_instruments for library in self.index.libraries.all()),
        )


def search_engine(device: str) -> str:
    """What searches the vectors on `device`: FAISS, or torch on a GPU where FAISS cannot."""
    for name in FAISS_BUILDS if device == "cpu" or faiss_runs_on_gpu() else ():
        with suppress(PackageNotFoundError):
            return f"{name} {version(name)}"
    return f"torch on {device}"


def open_index(settings: Settings, pair: EncoderPair, *, reconcile: bool = True) -> InstrumentIndex:
    """The data folder's index, its vectors in line with its catalogue unless they are to be left as they are."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    index = InstrumentIndex(
        settings.data_dir, pair.encoder_hash, pair.embedding_dim, pair.device, settings.undo_seconds
    )
    if reconcile:
        index.open()
    else:
        index.catalog.migrate()
    return index
