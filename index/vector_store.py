"""The vector store: exact cosine search over the unit embeddings of one library, and the file it is kept in.

Section 3.3 of Kim et al. 2022. FAISS searches, and this is the only file that imports it; torch searches on a GPU where
the installed FAISS is the CPU build. The file is a cache of the catalogue: any fault in it raises IndexDamaged.
"""

import hashlib
import json
import logging
import struct
import threading
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from models.atomic import write_atomically
from models.errors import IndexDamaged

log = logging.getLogger(__name__)

Ids = NDArray[np.int64]
Floats = NDArray[np.float32]

FAISS_BUILDS = ("faiss-cpu", "faiss-gpu", "faiss-gpu-cuvs")  # all of them the same module

_MAGIC = b"SHOWMEV1"
_LENGTH = struct.Struct("<I")  # of the JSON header that follows


class VectorStore:
    """Unit vectors `[n, dim]` under integer ids, all made by one encoder. Thread-safe: one lock guards the index."""

    def __init__(
        self, path: Path, dim: int, *, encoder_hash: str = "", vectors_revision: int = 0, device: str = "cpu"
    ) -> None:
        """`vectors_revision` tells vectors from earlier ones under the same ids: a file of another one is stale."""
        self.path = path
        self.dim = dim
        self.encoder_hash = encoder_hash
        self.vectors_revision = vectors_revision
        self._on_gpu = device.startswith("cuda")
        self._device = device
        self._lock = threading.RLock()
        self._index: faiss.IndexIDMap2 = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
        self._gpu_copy: FaissGpuSearch | TorchSearch | None = None

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def ids(self) -> Ids:
        """The ids `[n]`, in rising order."""
        with self._lock:
            return np.sort(_ids_as_stored(self._index))

    @property
    def stamp(self) -> str:
        """A checksum of ids, encoder, dimension and `vectors_revision`: equal stamps mean equal vectors."""
        return self._stamp_of(self.ids)

    def add(self, ids: Ids, vectors: Floats) -> None:
        """Add unit vectors `[n, dim]` under new `ids [n]`. Raises ValueError for wrong shapes and for ids in use."""
        if vectors.shape != (len(ids), self.dim):
            raise ValueError(f"expected vectors [{len(ids)}, {self.dim}], got {vectors.shape}")
        with self._lock:
            if len(np.unique(ids)) != len(ids) or np.isin(ids, self.ids).any():
                raise ValueError("an id is there already")
            self._index.add_with_ids(
                np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(ids, np.int64)
            )
            self._gpu_copy = None

    def remove(self, ids: Ids) -> None:
        """Remove the vectors of `ids`; ids that are not there are ignored."""
        with self._lock:
            self._index.remove_ids(faiss.IDSelectorBatch(np.ascontiguousarray(ids, np.int64)))
            self._gpu_copy = None

    def search(self, queries: Floats, k: int, allowed: Ids | None = None) -> tuple[Ids, Floats]:
        """Find the `k` nearest vectors of each query `[q, dim]`: ids and cosines `[q, k]`, best first.

        `allowed` restricts the search to these ids. Where fewer than `k` are found, ids end in −1 and cosines in −inf.
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

    def cosines(self, queries: Floats) -> tuple[Ids, Floats]:
        """Return all ids `[n]`, in rising order, and the cosine of every query `[q, dim]` with each vector: `[q, n]`.

        FAISS's GPU index returns only the best, so with it the product is taken on the CPU.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        with self._lock:
            copy = self._copy_on_gpu() if self._on_gpu and len(self) else None
            if isinstance(copy, TorchSearch):
                return self.ids, copy.cosines(queries)
            ids = _ids_as_stored(self._index)
            cosines = queries @ _view_of_vectors(self._index).T  # [q, n]
        if (ids[:-1] < ids[1:]).all():
            return ids, cosines
        order = np.argsort(ids)
        return ids[order], cosines[:, order]

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
                "vectors_revision": self.vectors_revision,
                "stamp": self.stamp,
                "payload_sha256": hashlib.sha256(payload).hexdigest(),
            }
        text = json.dumps(header).encode()
        write_atomically(self.path, _MAGIC + _LENGTH.pack(len(text)) + text + payload)

    def load(self) -> None:
        """Replace the content by the file's.

        Raises IndexDamaged if the file is missing, cut short, altered, or of another encoder, dimension or revision.
        """
        payload, stamp = self._read()
        try:
            index = faiss.deserialize_index(np.frombuffer(payload, np.uint8))
        except RuntimeError as error:
            raise self._damaged(f"FAISS {faiss.__version__} does not read it") from error
        if not isinstance(index, faiss.IndexIDMap2) or (
            self._stamp_of(np.sort(_ids_as_stored(index))) != stamp
        ):
            raise self._damaged("its ids are not those it was saved with")
        if not np.isfinite(_view_of_vectors(index)).all():
            raise self._damaged("it holds numbers that are not finite")
        with self._lock:
            self._index, self._gpu_copy = index, None

    def _read(self) -> tuple[bytes, str]:
        """The file's FAISS payload and the stamp that its header states."""
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
            vectors_revision = header["vectors_revision"]
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged("its header cannot be read") from error
        payload = data[end:]
        if hashlib.sha256(payload).hexdigest() != payload_sha256:
            raise self._damaged("its content was altered or cut short")
        made_by = (dim, encoder_hash, vectors_revision)
        if made_by != (self.dim, self.encoder_hash, self.vectors_revision):
            raise self._damaged(
                f"it is stale: made by {encoder_hash} in {dim} dimensions, revision {vectors_revision}"
            )
        return payload, stamp

    def _stamp_of(self, ids: Ids) -> str:
        digest = hashlib.sha256(f"{self.dim} {self.encoder_hash} {self.vectors_revision} ".encode())
        digest.update(ids.astype("<i8").tobytes())
        return digest.hexdigest()

    def _damaged(self, reason: str) -> IndexDamaged:
        return IndexDamaged(f"{self.path.name}: {reason}", value=self.path.name)

    def _search(self, queries: Floats, k: int, allowed: Ids | None) -> tuple[Ids, Floats]:
        if self._on_gpu:
            return self._copy_on_gpu().search(queries, k, allowed)
        return _search_faiss(self._index, queries, k, allowed)

    def _copy_on_gpu(self) -> "FaissGpuSearch | TorchSearch":
        """The vectors on the GPU, copied again after every change."""
        if self._gpu_copy is None:
            if faiss_runs_on_gpu():
                self._gpu_copy = FaissGpuSearch(self._index)
            else:
                self._gpu_copy = TorchSearch(self.ids, self.vectors(self.ids), self._device)
        return self._gpu_copy


class FaissGpuSearch:
    """A copy of a FAISS index on the GPU. FAISS's GPU index takes no filter, so a filtered search uses the CPU index."""

    def __init__(self, index: faiss.Index) -> None:
        self._cpu = index
        self._resources = faiss.StandardGpuResources()  # must outlive the index
        self._gpu = faiss.index_cpu_to_gpu(self._resources, 0, index)

    def search(self, queries: Floats, k: int, allowed: Ids | None) -> tuple[Ids, Floats]:
        return _search_faiss(self._gpu if allowed is None else self._cpu, queries, k, allowed)


class TorchSearch:
    """Exact search in plain torch: `ids [n]` in rising order and their unit vectors `[n, dim]`, held on `device`.

    Its answers equal those of FAISS on the CPU, up to rounding.
    """

    def __init__(self, ids: Ids, vectors: Floats, device: str) -> None:
        self._device = torch.device(device)
        self._ids = torch.from_numpy(ids).to(self._device)
        self._vectors = torch.from_numpy(vectors).to(self._device)  # [n, dim]

    def search(self, queries: Floats, k: int, allowed: Ids | None) -> tuple[Ids, Floats]:
        """Ids and cosines `[q, min(k, n)]`, best first; an id that is not allowed becomes −1 with −inf."""
        with torch.inference_mode():
            scores = self._product(queries)
            if allowed is not None:
                kept = torch.isin(self._ids, torch.from_numpy(allowed).to(self._device))
                scores.masked_fill_(~kept, -torch.inf)
            best, columns = scores.topk(min(k, len(self._ids)), dim=1)
            ids = self._ids[columns].masked_fill(best == -torch.inf, -1)
            return ids.cpu().numpy(), best.cpu().numpy()

    def cosines(self, queries: Floats) -> Floats:
        """The cosine of every query with each vector, `[q, n]`, in the order of the ids."""
        with torch.inference_mode():
            return np.asarray(self._product(queries).cpu().numpy(), np.float32)

    def _product(self, queries: Floats) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(queries)).to(self._device) @ self._vectors.T  # [q, n]


@cache
def search_engine(device: str) -> str:
    """Return the name of the vector search on `device`: FAISS, or torch on a GPU that FAISS does not support."""
    for name in FAISS_BUILDS if device == "cpu" or faiss_runs_on_gpu() else ():
        with suppress(PackageNotFoundError):
            return f"{name} {version(name)}"
    return f"torch on {device}"


@cache
def faiss_runs_on_gpu() -> bool:
    """Whether this FAISS is a GPU build whose CUDA starts here: tried once, with an index of one vector."""
    vector = np.ones((1, 1), np.float32)
    try:
        trial = faiss.IndexIDMap2(faiss.IndexFlatIP(1))
        trial.add_with_ids(vector, np.zeros(1, np.int64))
        FaissGpuSearch(trial).search(vector, 1, None)
    except (AttributeError, RuntimeError) as error:
        log.info("FAISS does not search on a GPU here: %s", error)
        return False
    return True


def _search_faiss(index: faiss.Index, queries: Floats, k: int, allowed: Ids | None) -> tuple[Ids, Floats]:
    params = None if allowed is None else faiss.SearchParameters(sel=faiss.IDSelectorBatch(allowed))  # type: ignore[call-arg]
    scores, ids = index.search(queries, k, params=params)
    return ids, scores


def _ids_as_stored(index: faiss.IndexIDMap2) -> Ids:
    """The ids `[n]` in the order in which the index holds their vectors."""
    return faiss.vector_to_array(index.id_map).astype(np.int64)


def _view_of_vectors(index: faiss.IndexIDMap2) -> Floats:
    """The vectors `[n, dim]` in the index's own memory, valid until it changes: read them under its owner's lock."""
    flat = faiss.downcast_index(index.index)
    assert isinstance(flat, faiss.IndexFlat)
    vectors = faiss.rev_swig_ptr(flat.get_xb(), index.ntotal * index.d)
    return np.asarray(vectors, np.float32).reshape(index.ntotal, index.d)
