"""The index of one data folder: its libraries and instruments, their vectors and maps, and the search among them.

Search is section 3.3 of Kim et al. 2022. The database is the truth; the folders `vectors/`, `previews/` and `tmp/` follow it
(docs/ARCHITECTURE.md, decision 1). Several threads, and several processes, may use one folder at once.
"""

import shlex
from collections.abc import Collection
from pathlib import Path

import numpy as np
from sqlalchemy import select

from index.catalog import Catalog, Instrument, Library
from index.duplicates import find_similar_groups
from index.incoming import uploads_in_progress
from index.instruments import InstrumentStore
from index.integrity import find_faults
from index.job_instruments import JobInstruments
from index.leases import oldest_alive, sources_in_use
from index.libraries import UNDO_SECONDS, DataFolder, LibraryStore, utc_now
from index.maps import LibraryMaps
from index.records import Hit, InstrumentInfo, LibraryInfo, find_instrument, find_library, library_info
from index.sound_descriptors import Directions, scores
from index.stored_embeddings import from_bytes
from index.vector_cache import LibraryVectors, VectorCache
from models.errors import EncoderMismatch, InvalidRequest, LibraryEmpty


class InstrumentIndex:
    """The parts of an index, opened and closed as one, and what needs several of them. Call `open()` first."""

    def __init__(
        self,
        data_dir: Path,
        encoder_hash: str,
        embedding_dim: int,
        device: str = "cpu",
        undo_seconds: float = UNDO_SECONDS,
        catalogue: Path | str | None = None,
    ) -> None:
        """`catalogue` is the location of another database than the SQLite file of the folder."""
        self.encoder_hash = encoder_hash
        self.embedding_dim = embedding_dim
        self.folder = DataFolder(data_dir)
        self.catalog = Catalog(catalogue or self.folder.database)
        self.vectors = VectorCache(self.catalog, self.folder.vectors_dir, encoder_hash, embedding_dim, device)
        self.maps = LibraryMaps(self.catalog)
        self.libraries = LibraryStore(self.catalog, self.folder, self.vectors, undo_seconds)
        self.instruments = InstrumentStore(self.catalog, self.folder, self.vectors, self.libraries)
        self.job_instruments = JobInstruments(self.catalog, self.vectors, self.libraries)

    def open(self) -> None:
        """Migrate the catalogue, purge old deletions, remove leftovers, and make the vectors follow the catalogue.

        Raises IndexDamaged if the database is not a catalogue. Libraries of another encoder, and libraries with damaged
        embeddings in the catalogue itself, stay as they are: they can be listed, but searching them is an error.
        """
        self.catalog.migrate()
        self.folder.create()
        self.sweep()
        with self.catalog.session() as session:
            libraries = session.scalars(select(Library).where(Library.deleted_at.is_(None))).all()
        for library in libraries:
            self.vectors.follow(library)

    def sweep(self, in_use: Collection[str] = ()) -> None:
        """Purge old deletions, and remove what killed processes left behind; `in_use` names uploads that wait for a job."""
        self.libraries.purge()
        with self.catalog.session() as session:
            known_ids = {*session.scalars(select(Instrument.id)), *session.scalars(select(Library.id))}
            source_paths = session.scalars(select(Instrument.source_path).distinct())
            known_ids |= {Path(path).name for path in [*source_paths, *sources_in_use(session)] if path}
            known_ids.update(uploads_in_progress(session, utc_now()))
            oldest_job = oldest_alive(session, utc_now())
        self.folder.remove_leftovers(known_ids.union(in_use), oldest_job)

    def close(self) -> None:
        self.catalog.close()

    # Search

    def searchable(self, id_or_name: str) -> LibraryVectors:
        """The library's vectors at its present revision; they are loaded again only if the library has changed.

        Stale instruments are not among them. Raises LibraryNotFound, LibraryEmpty and EncoderMismatch.
        """
        with self.catalog.session() as session:
            library = find_library(session, id_or_name)
            info = library_info(session, library, self.encoder_hash)
        self.check_encoder(info)
        vectors = self.vectors.get(library.id, library.revision)
        if not vectors.rows:
            raise LibraryEmpty(f"library {library.name!r} has no instruments yet", value=library.name)
        return vectors

    def similar(self, instrument_id: str, k: int, to: Directions = Directions()) -> list[Hit]:
        """The `k` instruments of the same library most similar to this one, itself left out, or those in the directions `to`.

        Raises InstrumentNotFound, EncoderMismatch, and InvalidRequest for `k` below 1.
        """
        _check_at_least_one("k", k)
        with self.catalog.session() as session:
            instrument = find_instrument(session, instrument_id)
            library = find_library(session, instrument.library_id)
        if instrument.encoder_hash != self.encoder_hash:
            raise self._mismatch(f"instrument {instrument.name!r}", library.name, instrument.encoder_hash)
        query = from_bytes(instrument.embedding)[None]  # [1, dim]
        vectors = self.searchable(instrument.library_id)
        if any(to):
            cosines = vectors.cosines(query)[0]  # [n]
            ids = [row.vector_id for row in vectors.rows]
            score = scores(self.catalog, cosines, ids, instrument.vector_id, to)
            best = np.argsort(-score, kind="stable")[: k + 1].tolist()
            hits = [vectors.rows[place].hit(float(cosines[place])) for place in best]
        else:
            (hits,) = vectors.search(query, k + 1)
        return [hit for hit in hits if hit.instrument_id != instrument_id][:k]

    def duplicates(
        self, library: str, min_similarity: float, limit: int
    ) -> list[tuple[float, list[InstrumentInfo]]]:
        """At most `limit` groups of near-identical instruments, the most similar group first.

        Each group comes with the lowest cosine of any member to its first; members are in the order of enrollment.
        Raises LibraryNotFound and EncoderMismatch.
        """
        try:
            vectors = self.searchable(library)
        except LibraryEmpty:
            return []
        ids = np.array([row.vector_id for row in vectors.rows], np.int64)
        groups = find_similar_groups(vectors.store.vectors(ids), min_similarity)[:limit]
        ids_of = [ids[group.members].tolist() for group in groups]
        info_of = self.instruments.by_vector_id([one for members in ids_of for one in members])
        found = [
            (group.similarity, [info_of[one] for one in members if one in info_of])
            for group, members in zip(groups, ids_of, strict=True)
        ]
        return [(similarity, infos) for similarity, infos in found if len(infos) > 1]

    def check_pair(self, encoder_hash: str) -> None:
        """Raise EncoderMismatch unless this is the hash of the encoder that the index was opened for."""
        if encoder_hash != self.encoder_hash:
            message = "the index was opened for another encoder"
            raise EncoderMismatch(message, value=encoder_hash, limit=self.encoder_hash)

    def check_encoder(self, library: LibraryInfo) -> None:
        """Raise EncoderMismatch, with what to do, if another encoder than ours has embedded all of a library."""
        if library.state == "stale":
            raise self._mismatch(f"library {library.name!r}", library.name, library.encoder_hash)

    def _mismatch(self, what: str, library_name: str, encoder_hash: str) -> EncoderMismatch:
        command = f"showme index reembed {shlex.quote(library_name)}"
        return EncoderMismatch(
            f"{what} was embedded with another encoder than the one in use and must be updated: press Update in the "
            f"Library view, or run `{command}`",
            value=encoder_hash,
            limit=self.encoder_hash,
        )

    # Upkeep

    def rebuild(self, library: str | None = None) -> int:
        """Make the vector files of one library, or of all, again from the catalogue; return how many vectors they hold.

        Raises LibraryNotFound, and EncoderMismatch for a library of another encoder, which must be embedded again.
        """
        chosen = self.libraries.all() if library is None else [self.libraries.get(library)]
        for info in chosen:
            self.check_encoder(info)
        for info in chosen:
            self.vectors.forget(info.id)
            self.vectors.get(info.id, 0)
        return sum(info.num_instruments - info.num_stale for info in chosen)

    def verify(self, library: str | None = None) -> list[str]:
        """Find faults in the database, vectors and previews, one sentence each. Changes nothing. Raises LibraryNotFound."""

        def chosen() -> list[LibraryInfo]:
            return self.libraries.all() if library is None else [self.libraries.get(library)]

        return find_faults(self.catalog, self.folder, self.vectors, chosen)


def _check_at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise InvalidRequest(f"{name} is {value}; it must be at least 1", value=value, limit="at least 1")
