"""The vector store: exact inner-product search over the unit embeddings of one library, and its file.

The cosine similarity of section 3.3 of Kim et al. 2022, by FAISS (the only file that imports it). The file is a cache:
whatever is wrong with it raises IndexDamaged, and the catalogue holds what is needed to make it again.
"""

import hashlib
import json
import logging
import struct
import threading
from functools import cache
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from index.gpu_search import TorchSearch
from models.atomic import write_atomically
from models.errors import IndexDamaged

log = logging.getLogger(__name__)

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]

_MAGIC = b"SHOWMEV1"
_LENGTH = struct.Struct("<I")  # of the JSON header that follows


class VectorStore:
    """Vectors `[n, dim]` under integer ids, all made by one encoder. Thread-safe: one lock around the FAISS structures."""

    def __init__(self, path: Path, dim: int, *, encoder_hash: str = "", device: str = "cpu") -> None:
        self.path = path
        self.dim = dim
        self.encoder_hash = encoder_hash
        self._on_gpu = device.startswith("cuda")
        self._device = device
        self._lock = threading.RLock()
        self._index: faiss.IndexIDMap2 = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
        self._gpu: _GpuSearch | None = None

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def ids(self) -> Ids:
        """The ids `[n]`, in rising order."""
        with self._lock:
            return _sorted_ids(self._index)

    @property
    def stamp(self) -> str:
        """A checksum of the ids, the encoder's hash and the dimension: equal stamps hold equal vectors."""
        return self._stamp_of(self.ids)

    def add(self, ids: Ids, vectors: Floats) -> None:
        """Add unit vectors `[n, dim]` under new `ids [n]`. Raises ValueError for wrong shapes or ids already there."""
        if vectors.shape != (len(ids), self.dim):
            raise ValueError(f"expected vectors [{len(ids)}, {self.dim}], got {vectors.shape}")
        with self._lock:
            if len(np.unique(ids)) != len(ids) or np.isin(ids, self.ids).any():
                raise ValueError("an id is there already")
            self._index.add_with_ids(
                np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(ids, np.int64)
            )
            self._gpu = None

    def remove(self, ids: Ids) -> None:
        """Remove what is there of `ids`."""
        with self._lock:
            self._index.remove_ids(faiss.IDSelectorBatch(np.ascontiguousarray(ids, np.int64)))
            self._gpu = None

    def search(self, queries: Floats, k: int, allowed: Ids | None = None) -> tuple[Ids, Floats]:
        """The `k` nearest of each query `[q, dim]`, among `allowed` ids if given: ids and cosines `[q, k]`, best first.

        Where fewer than `k` are to be had, ids end in −1 and scores in −inf.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        ids = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        if allowed is not None:
            allowed = np.intersect1d(allowed, self.ids)
        available = min(k, len(self) if allowed is None else len(allowed))
        if available and len(queries):
            with self._lock:
                found = self._search(queries, available, allowed)
            ids[:, :available], scores[:, :available] = found
        return ids, scores

    def vectors(self, ids: Ids) -> Floats:
        """The vectors `[n, dim]` stored under `ids [n]`, all of which must be there."""
        with self._lock:
            if not len(ids):
                return np.zeros((0, self.dim), np.float32)
            return np.asarray(self._index.reconstruct_batch(np.ascontiguousarray(ids, np.int64)), np.float32)

    def save(self) -> None:
        """Write the file so that it is whole at every moment: temporary file, fsync, rename, fsync of the folder."""
        with self._lock:
            payload = faiss.serialize_index(self._index).tobytes()
            header = {
                "dim": self.dim,
                "encoder_hash": self.encoder_hash,
                "stamp": self.stamp,
                "payload_sha256": hashlib.sha256(payload).hexdigest(),
            }
        text = json.dumps(header).encode()
        write_atomically(self.path, _MAGIC + _LENGTH.pack(len(text)) + text + payload)

    def load(self) -> None:
        """Replace the content by the file's.

        Raises IndexDamaged if it is missing, cut short, altered, or of another encoder or dimension.
        """
        payload, stamp = self._read()
        try:
            index = faiss.deserialize_index(np.frombuffer(payload, np.uint8))
        except RuntimeError as error:
            raise self._damaged(f"FAISS {faiss.__version__} does not read it") from error
        if not isinstance(index, faiss.IndexIDMap2) or self._stamp_of(_sorted_ids(index)) != stamp:
            raise self._damaged("its ids are not those it was saved with")
        with self._lock:
            self._index, self._gpu = index, None

    def _read(self) -> tuple[bytes, str]:
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise self._damaged(error.strerror or "it cannot be read") from error
        begin = len(_MAGIC) + _LENGTH.size
        if data[: len(_MAGIC)] != _MAGIC or len(data) < begin:
            raise self._damaged("it does not begin like a vector file")
        end = begin + _LENGTH.unpack_from(data, len(_MAGIC))[0]
        try:
            header = json.loads(data[begin:end])
            if json.dumps(header).encode() != data[begin:end]:
                raise ValueError("another spelling")
            payload_sha256, stamp = header["payload_sha256"], header["stamp"]
            dim, encoder_hash = header["dim"], header["encoder_hash"]
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged("its header cannot be read") from error
        payload = data[end:]
        if hashlib.sha256(payload).hexdigest() != payload_sha256:
            raise self._damaged("its content was altered or cut short")
        if (dim, encoder_hash) != (self.dim, self.encoder_hash):
            raise self._damaged(f"it is stale: made by {encoder_hash} in {dim} dimensions")
        return payload, stamp

    def _stamp_of(self, ids: Ids) -> str:
        digest = hashlib.sha256(f"{self.dim} {self.encoder_hash} ".encode())
        digest.update(ids.astype("<i8").tobytes())
        return digest.hexdigest()

    def _damaged(self, reason: str) -> IndexDamaged:
        return IndexDamaged(f"{self.path.name}: {reason}", value=self.path.name)

    def _search(self, queries: Floats, k: int, allowed: Ids | None) -> tuple[Ids, Floats]:
        if self._on_gpu:
            if self._gpu is None:
                self._gpu = _GpuSearch(self._index, self.ids, self.vectors(self.ids), self._device)
            return self._gpu.search(queries, k, allowed)
        scores, ids = self._index.search(queries, k, params=_only(allowed))
        return ids, scores


@cache
def faiss_runs_on_gpu() -> bool:
    """Whether this FAISS is a GPU build whose CUDA starts here: tried once, with an index of one vector."""
    vector = np.ones((1, 1), np.float32)
    try:
        trial = faiss.IndexIDMap2(faiss.IndexFlatIP(1))
        trial.add_with_ids(vector, np.zeros(1, np.int64))
        resources = faiss.StandardGpuResources()
        faiss.index_cpu_to_gpu(resources, 0, trial).search(vector, 1)
    except (AttributeError, RuntimeError) as error:
        log.info("FAISS does not search on a GPU here: %s", error)
        return False
    return True


class _GpuSearch:
    """A copy of an index on the GPU: FAISS's own where this build has one, torch's where it has none.

    FAISS's GPU index takes no filter, so a filtered search stays on the CPU index.
    """

    def __init__(self, index: faiss.Index, ids: Ids, vectors: Floats, device: str) -> None:
        self._cpu = index
        self._torch: TorchSearch | None = None
        if faiss_runs_on_gpu():
            self._resources = faiss.StandardGpuResources()  # must outlive the index
            self._gpu = faiss.index_cpu_to_gpu(self._resources, 0, index)
        else:
            self._torch = TorchSearch(ids, vectors, device)

    def search(self, queries: Floats, k: int, allowed: Ids | None) -> tuple[Ids, Floats]:
        if self._torch is not None:
            return self._torch.search(queries, k, allowed)
        index = self._gpu if allowed is None else self._cpu
        scores, ids = index.search(queries, k, params=_only(allowed))
        return ids, scores


def _sorted_ids(index: faiss.IndexIDMap2) -> Ids:
    return np.sort(faiss.vector_to_array(index.id_map).astype(np.int64))


def _only(allowed: Ids | None) -> faiss.SearchParameters | None:
    return None if allowed is None else faiss.SearchParameters(sel=faiss.IDSelectorBatch(allowed))  # type: ignore[call-arg]
