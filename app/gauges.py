"""The state of a running service as gauges, read each time that the metrics are asked for.

They are numbers in memory, and one count of the database that is answered from an index. Labels have few values: a library is
named by its id, and only the largest ones are.
"""

from collections.abc import Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from app.jobs import JobRunner
from app.query_queue import QueryQueue
from app.staging import StagedUploads
from index.decoding.limits import REASONS, Reason
from index.disk import free_bytes
from index.instrument_index import InstrumentIndex
from index.vector_store import search_engine
from models.encoder_pair import EncoderPair
from models.errors import ShowMeError

MAX_LIBRARIES = 20  # that have a gauge of their own
OTHERS = "others"
BATCH_SIZES = (1, 2, 4, 8, 16, 32)


class ServiceGauges:
    """A collector of prometheus_client. Without the database it leaves out what it would ask it."""

    def __init__(
        self,
        index: InstrumentIndex,
        pair: EncoderPair,
        queue: QueryQueue,
        jobs: JobRunner,
        staged: StagedUploads,
        stopped: Mapping[Reason, int],
        *,
        names_libraries: bool,
    ) -> None:
        self._max_libraries = MAX_LIBRARIES if names_libraries else 0  # no key learns of others' libraries
        self._index = index
        self._pair = pair
        self._queue = queue
        self._jobs = jobs
        self._staged = staged
        self._stopped = stopped

    def collect(self) -> Iterator[Metric]:
        """Read all gauges (the interface of a collector)."""
        pair = self._pair
        encoder = {"hash": pair.encoder_hash, "device": pair.device, "search": search_engine(pair.device)}
        yield InfoMetricFamily("showme_encoder", "The encoder in use.", encoder)
        yield _batches(pair.batch_sizes)
        yield from self._work()
        yield self._decoding()
        yield from self._libraries()
        try:
            free = free_bytes(self._index.folder.root)
        except OSError:  # the folder is gone, as /readyz tells
            return
        yield _gauge("showme_disk_free_bytes", "Free bytes on the data folder's disk.", free)

    def _work(self) -> Iterator[Metric]:
        in_flight = self._queue.in_flight
        yield _gauge("showme_queries_in_flight", "Queries admitted and not yet answered.", in_flight)
        waiting = self._queue.waiting
        yield _gauges("showme_queries_waiting", "Queries that wait for a stage.", "stage", waiting)
        seconds = self._queue.audio_seconds
        yield _gauge(
            "showme_query_audio_seconds", "Seconds of decoded audio that queries hold in memory.", seconds
        )
        views = self._jobs.in_flight()
        yield _gauge("showme_jobs_in_flight", "Enrollments and updates queued or running.", len(views))
        jobs = GaugeMetricFamily("showme_jobs", "Jobs of this process.", labels=["kind", "state"])
        for kind in ("enroll", "reembed", "watch"):
            for state in ("queued", "running"):
                number = sum((view.kind, view.state) == (kind, state) for view in views)
                jobs.add_metric([kind, state], number)
        yield jobs
        yield _gauge(
            "showme_staged_bytes", "Bytes of uploads that wait for their enrollment.", self._staged.num_bytes
        )

    def _decoding(self) -> Metric:
        text = "Processes that decode, ended by a file: it crashed them, or exceeded a limit."
        family = CounterMetricFamily("showme_decode_workers_killed", text, labels=["reason"])
        for reason in REASONS:
            family.add_metric([reason], self._stopped.get(reason, 0))
        return family

    def _libraries(self) -> Iterator[Metric]:
        try:
            sizes = self._index.libraries.sizes()
        except ShowMeError:
            yield _gauge("showme_database_readable", "Whether the database can be read.", 0)
            return
        yield _gauge("showme_database_readable", "Whether the database can be read.", 1)
        yield _gauge("showme_libraries", "Libraries.", len(sizes))
        yield _gauge("showme_instruments", "Instruments in all libraries.", sum(sizes.values()))
        text = f"Instruments of the {MAX_LIBRARIES} largest libraries, and of all others."
        yield _gauges("showme_library_instruments", text, "library", _largest(sizes, self._max_libraries))


def _largest(sizes: Mapping[str, int], most: int) -> dict[str, int]:
    """Return the `most` largest libraries, and the sum of the others if there are more."""
    ids = sorted(sizes, key=lambda one: (-sizes[one], one))
    shown = {one: sizes[one] for one in ids[:most]}
    rest = ids[most:]
    return shown | ({OTHERS: sum(sizes[one] for one in rest)} if rest else {})


def _batches(batch_sizes: Mapping[str, Mapping[int, int]]) -> Metric:
    """Make a histogram of the clips or windows that each encoder was given at once."""
    family = HistogramMetricFamily(
        "showme_encoder_batch", "Clips or windows that an encoder is given at once.", labels=["encoder"]
    )
    for encoder, counted in batch_sizes.items():
        sizes = dict(counted)  # it is being counted on
        numbers = [sum(sizes[size] for size in sizes if size <= most) for most in BATCH_SIZES]
        buckets = [(str(most), number) for most, number in zip(BATCH_SIZES, numbers, strict=True)]
        total = sum(size * number for size, number in sizes.items())
        family.add_metric([encoder], [*buckets, ("+Inf", sum(sizes.values()))], total)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for of, value in values.items():
        family.add_metric([of], value)
    return family
