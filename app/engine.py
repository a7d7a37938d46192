"""The Python API: queries and enrollments on a data folder in this process, without HTTP.

    from app import Engine

    with Engine.open("data") as engine:
        answer = engine.query("song.wav")

The service and the terminal work with the same object, so that all three give the same answers.
"""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from app.access.ownership import MACHINE_OWNER, Access
from app.answering import Answerer
from app.default_library import DefaultLibrary
from app.foreground_job import foreground_job
from app.job_store import JobStore
from app.parts import PartReader, QueryParts, asked_range
from app.query_store import QueryStore
from app.question import DEFAULT_TOP_K, AskedRange, Mode, Question
from app.schemas import QueryAnswer
from app.settings import Settings
from app.uploads import upload_name
from index.decoding.remote_source import DecodingOpener
from index.decoding.workers import DecodeWorkers
from index.enroll import EnrollReport, Progress, enroll
from index.enrollment.recognising import recognise_unnamed
from index.instrument_index import InstrumentIndex
from index.records import Hit, LibraryInfo
from index.reembed import ReembedReport, reembed
from index.source_finder import GivenSource
from index.sources.base import InstrumentSource
from index.watching.watch_store import WatchStore
from models.encoder_pair import EncoderPair
from models.errors import Busy, IndexDamaged, JobConflict, LibraryNotFound, StorageFull


class Enrolled(NamedTuple):
    """The library after an enrollment, and the report: which instruments were added, which skipped and why."""

    library: LibraryInfo
    report: EnrollReport


class Engine:
    """One data folder with the encoders that its libraries are embedded by. Thread-safe; close it when done."""

    def __init__(
        self, settings: Settings, pair: EncoderPair | None = None, *, reconcile: bool = True
    ) -> None:
        """Open the data folder of `settings` with `pair` (None: the weights of `settings`).

        Without `reconcile` the vector files stay as they are, for a command that looks for faults.
        Raises CheckpointError, IndexDamaged, and DatabaseUnavailable or InvalidRequest for a database server.
        """
        self.settings = settings
        self.pair = pair or EncoderPair.load(settings.weights_dir, settings.device)
        self.pair.calibrated_match()  # refuse encoders that cannot answer before anything is enrolled by them
        self.decoding = DecodeWorkers(settings.decode_limits, settings.decode_workers)
        self.opener = DecodingOpener(self.decoding)
        self.default = DefaultLibrary.of_setting(settings.default_library, self.opener)
        self.index = _open_index(settings, self.pair, reconcile)
        self.jobs = JobStore(self.index.catalog, settings.job_lease_seconds)
        self.watches = WatchStore(self.index.catalog, settings.job_lease_seconds)
        self.queries = QueryStore(
            self.index.catalog, self.index.folder.queries_dir, settings.max_stored_queries
        )
        self.access = Access(MACHINE_OWNER, self.index, self.queries, self.jobs, self.default)
        self.answerer = Answerer(settings, self.index, self.pair, self.queries, self.decoding)
        self.part_reader = PartReader(settings.device)

    @classmethod
    def open(
        cls,
        data_dir: Path | str | None = None,
        *,
        device: str | None = None,
        weights: Path | str | None = None,
        default_library: str | None = None,
    ) -> Self:
        """Open a data folder, which is created if need be; arguments left out come from SHOWME_… in the environment.

        `device` is "auto", "cpu" or "cuda"; `weights` is the folder of the encoders (the shipped ones if neither names
        one); `default_library` is a SoundFont or folder, or "none". Raises CheckpointError, IndexDamaged, ValueError.
        """
        given = {
            "data_dir": data_dir,
            "device": device,
            "weights_dir": weights,
            "default_library": default_library,
        }
        return cls(Settings.model_validate({key: value for key, value in given.items() if value is not None}))

    def query(
        self,
        path: Path | str,
        library: str | None = None,
        *,
        top_k: int = DEFAULT_TOP_K,
        mode: Mode = "auto",
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
        family: str | None = None,
        exclude: Sequence[str] = (),
        effects: bool = False,
    ) -> QueryAnswer:
        """Find the instruments of a library that sound like those in an audio file, and store the answer.

        `library` is an id or a name; None means the default library (enrolled first if it is not there yet), or else
        the only one. Raises AudioError, InvalidRequest, LibraryError, EncoderMismatch, and OSError for an unreadable file.
        """
        question = Question(
            library=library,
            top_k=top_k,
            mode=mode,
            start_seconds=start_seconds,
            end_seconds=end_seconds,
            family=family,
            exclude=tuple(exclude),
            effects=effects,
        )
        return self.ask(Path(path), question)

    def ask(self, path: Path, question: Question) -> QueryAnswer:
        """Answer a question about the audio file at `path`, as `query` does."""
        with path.open("rb"):
            pass  # report an unreadable file before enrolling anything
        self.decoding.warm()
        if question.library is None:
            self.fill_default()
        with tempfile.TemporaryDirectory(prefix="query_", dir=self.index.folder.tmp_dir) as folder:
            copy = Path(shutil.copyfile(path, Path(folder) / "query"))
            return self.answerer.ask(copy, upload_name(path.name), question, self.access)

    def similar(self, path: Path | str, library: str | None = None, limit: int = 10) -> list[Hit]:
        """Find the instruments of a library that sound like one sound, as `POST /v1/similar` does; nothing is stored."""
        sound = Path(path)
        with sound.open("rb"):
            pass
        if library is None:
            self.fill_default()
        chosen = self.access.library_to_search(library)
        decoded = self.answerer.decode(sound, upload_name(sound.name), AskedRange())
        return self.answerer.similar(decoded, chosen, limit)

    def parts(self, query_id: str) -> QueryParts:
        """Return the notes of each slot of a stored query, as `GET /v1/queries/{id}/parts` reads them, and their MIDI files.

        Raises QueryNotFound, and AudioGone where only the answer is stored.
        """
        answer = self.queries.answer(query_id)
        path = self.queries.kept_audio(query_id)
        kept = self.part_reader.kept(answer, path)
        if kept is not None:
            return kept
        upload = self.answerer.decode(path, answer.name, asked_range(answer))
        return self.part_reader.read(answer, path, upload.decoded)

    def enroll(self, path: Path | str, library: str, *, progress: Progress | None = None) -> Enrolled:
        """Enroll the instruments of a folder or file into a library (id or name), which is created if need be.

        A failed enrollment keeps what it has stored, and no empty library. Enrolling the same path again goes on from there, as
        after a kill. Meanwhile other processes see it as a job. Raises SourceError, EncoderMismatch.
        """
        source = self.opener.open_source(Path(path))
        try:
            chosen, is_new = self.index.libraries.get(library), False
        except LibraryNotFound:
            chosen, is_new = self.index.libraries.create(library), True
        try:
            report = self._enroll(chosen.id, source, Path(path), progress)
        except BaseException:
            if is_new:
                self.index.libraries.drop_if_unused(chosen.id)
            raise
        return Enrolled(self.index.libraries.get(chosen.id), report)

    def reembed(
        self,
        library: str,
        source: Path | str | None = None,
        *,
        use_previews: bool = False,
        progress: Progress | None = None,
    ) -> ReembedReport:
        """Embed a library (id or name) of another encoder again, from what its instruments were enrolled from.

        `source` is the path where the instruments are now, if they were moved or older versions enrolled them; what is not
        found there is looked for as without it. `use_previews` takes the previews of those whose sources are gone. The
        report names what stays as it was. Raises LibraryNotFound, and SourceError if `source` does not open.
        """
        chosen = self.index.libraries.get(library)
        given = self.default.given_for(chosen) if self.default else []
        if source is not None:
            given.insert(0, GivenSource(Path(source), self.opener.open_source(Path(source))))
        return reembed(
            self.index,
            self.pair,
            chosen.id,
            self.opener,
            given=given,
            use_previews=use_previews,
            progress=progress,
        )

    def fill_default(self, progress: Progress | None = None) -> None:
        """Enroll the default library if it is not there yet, or embed it again if another encoder has embedded it.

        Raises Busy while another process enrolls it.
        """
        if self.default is None:
            return
        to_fill = self.default.to_fill(self.index, self.jobs)
        if to_fill:
            library, source = to_fill
            try:
                self._enroll(library.id, source, self.default.path, progress, alone=True)
            except JobConflict as other:
                message = f"the default library is being enrolled by job {other.value}; try again"
                raise Busy(message, value=other.value, limit=other.limit) from other
            return
        there = self.default.find(self.index)
        if there and there.state == "stale":
            self.reembed(there.id, progress=progress)

    def _enroll(
        self,
        library_id: str,
        source: InstrumentSource,
        opened_at: Path,
        progress: Progress | None,
        *,
        alone: bool = False,
    ) -> EnrollReport:
        stored_path = self.index.folder.stored_path(opened_at)
        with foreground_job(self.jobs, library_id, len(source), progress, stored_path, alone=alone) as job:
            report = enroll(
                self.index,
                self.pair,
                library_id,
                source,
                job_id=job.view.id,
                opened_at=opened_at,
                progress=job.progress,
                storing=job.storing,
            )
            job.end(report)
            return report

    def libraries(self) -> list[LibraryInfo]:
        """Return all libraries, the oldest first."""
        return self.index.libraries.all()

    def close(self) -> None:
        """Close the data folder, and end the processes that decode."""
        self.decoding.close()
        self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open_index(settings: Settings, pair: EncoderPair, reconcile: bool) -> InstrumentIndex:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    index = InstrumentIndex(
        settings.data_dir,
        pair.encoder_hash,
        pair.embedding_dim,
        pair.device,
        settings.undo_seconds,
        settings.catalogue,
    )
    if reconcile:
        index.open()
        if pair.instrument_family:
            with suppress(Busy, StorageFull, IndexDamaged):  # the next opening may succeed
                recognise_unnamed(index.catalog, pair.encoder_hash, pair.instrument_family)
    else:
        index.catalog.migrate()
    return index
