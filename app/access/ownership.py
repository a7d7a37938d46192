"""Callers, and what each of them sees and changes: the one place that decides whose libraries, queries and jobs are whose.

What belongs to a key is hidden from other keys: they are answered as if it were not there. A shared library, and the default
one, can be read by all keys and changed by its own. A key of the scope `admin` and the owner of the machine see and change all.
"""

from dataclasses import dataclass, replace
from typing import Self

from app.access.keys import SCOPES, KeyScope
from app.default_library import DefaultLibrary, is_default
from app.job_store import JobStore, JobView, no_job
from app.query_store import QueryStore, no_query
from app.resumable import UploadView, no_upload
from app.schemas import QuerySummary
from index.instrument_index import InstrumentIndex
from index.records import InstrumentInfo, LibraryInfo, OwnedLibrary, no_instrument, no_library
from models.errors import InvalidRequest, LibraryNotFound, LibraryNotOwned, ScopeTooSmall


@dataclass(frozen=True)
class Caller:
    """Who asks: a key with its scope; without a key the owner of the machine (`admin`), or nobody (no scope)."""

    key_id: str | None
    scope: KeyScope | None
    name: str | None = None

    def may(self, scope: KeyScope) -> bool:
        """Whether the caller's scope includes another."""
        return self.scope is not None and SCOPES.index(self.scope) >= SCOPES.index(scope)

    def check_scope(self, scope: KeyScope) -> None:
        """Raise ScopeTooSmall unless the caller's scope includes this one."""
        if not self.may(scope):
            message = f"this needs a key of the scope {scope!r}, and this one has {self.scope!r}"
            raise ScopeTooSmall(message, value=self.scope, limit=scope)

    def owns(self, key_id: str | None) -> bool:
        """Whether what belongs to a key (None: to the owner of the machine) is the caller's."""
        return self.scope == "admin" or (key_id is not None and key_id == self.key_id)


MACHINE_OWNER = Caller(None, "admin")
NOBODY = Caller(None, None)


@dataclass(frozen=True)
class Access:
    """A data folder as a caller sees and changes it."""

    caller: Caller
    index: InstrumentIndex
    queries: QueryStore
    jobs: JobStore
    default: DefaultLibrary | None

    def of(self, caller: Caller) -> Self:
        """Return the access of another caller."""
        return replace(self, caller=caller)

    def may_change(self, library: OwnedLibrary) -> bool:
        """Whether a library is the caller's."""
        return self.caller.owns(library.key_id)

    def is_shared(self, library: OwnedLibrary) -> bool:
        """Whether all keys may read a library."""
        return library.shared or is_default(library, self.default)

    def may_read(self, library: OwnedLibrary) -> bool:
        """Whether a library is the caller's, or shared."""
        return self.may_change(library) or self.is_shared(library)

    def libraries(self) -> list[LibraryInfo]:
        """Return the libraries that the caller sees, the oldest first."""
        return [library for library in self.index.libraries.all() if self.may_read(library)]

    def library(self, id_or_name: str, *, to_change: bool = False) -> LibraryInfo:
        """Return a library that the caller sees; of several with one name, the caller's own.

        Raises LibraryNotFound, and LibraryNotOwned for one that can be read only, `to_change` it.
        """
        seen = [library for library in self.index.libraries.called(id_or_name) if self.may_read(library)]
        own = [
            library for library in seen if library.id == id_or_name or library.key_id == self.caller.key_id
        ]
        if not seen:
            raise no_library(id_or_name)
        found = (own or seen)[0]
        if to_change:
            self._check_own(found)
        return found

    def library_to_search(self, asked: str | None) -> LibraryInfo:
        """Return the requested library (id or name), else the default one, else the only one that the caller sees.

        Raises LibraryNotFound, and InvalidRequest when none is named and there are several.
        """
        if asked:
            return self.library(asked)
        libraries = self.libraries()
        for library in libraries:
            if is_default(library, self.default):
                return library
        if len(libraries) == 1:
            return libraries[0]
        if not libraries:
            raise LibraryNotFound("there is no library yet; create one and add instruments")
        names = ", ".join(library.name for library in libraries[:10])
        raise InvalidRequest("there are several libraries; name one in `library`", value=None, limit=names)

    def instrument(self, instrument_id: str, *, to_change: bool = False) -> InstrumentInfo:
        """Return an instrument of a library that the caller sees. Raises InstrumentNotFound and LibraryNotOwned."""
        found = self.index.instruments.get(instrument_id)
        library = self.index.libraries.owned(found.library_id)
        if library is None or not self.may_read(library):
            raise no_instrument(instrument_id)
        if to_change:
            self._check_own(library)
        return found

    def query(self, query_id: str) -> str:
        """Return the id of a query that the caller has asked. Raises QueryNotFound."""
        if not self.caller.owns(self.queries.key_of(query_id)):
            raise no_query(query_id)
        return query_id

    def query_page(
        self, limit: int, after: str | None, search: str | None = None
    ) -> tuple[list[QuerySummary], str | None]:
        """Return a page of the queries that the caller has asked, as `QueryStore.page` does; `admin` sees those of all."""
        return self.queries.page(limit, after, self._listed_key, search)

    def job_page(self, limit: int, after: str | None) -> tuple[list[JobView], str | None]:
        """Return a page of the jobs that the caller sees, as `JobStore.page` does."""
        return self.jobs.page(limit, after, self._listed_key)

    def sees_job(self, job: JobView) -> bool:
        """Whether the caller asked for a job, or may change the library that it works at."""
        if self.caller.owns(job.key_id):
            return True
        library = self.index.libraries.owned(job.library_id) if job.library_id else None
        return library is not None and self.may_change(library)

    def check_job(self, job: JobView) -> JobView:
        """Return the job. Raises JobNotFound unless the caller sees it."""
        if not self.sees_job(job):
            raise no_job(job.id)
        return job

    def check_upload(self, upload: UploadView) -> UploadView:
        """Return the resumable upload. Raises UploadNotFound unless it is the caller's."""
        if not self.caller.owns(upload.key_id):
            raise no_upload(upload.id)
        return upload

    @property
    def _listed_key(self) -> str | None:
        """The key whose things are listed; None where those of all are."""
        return None if self.caller.may("admin") else self.caller.key_id

    def _check_own(self, library: OwnedLibrary) -> None:
        if not self.may_change(library):
            message = f"library {library.name!r} is shared for reading; only its owner may change it or take its sources"
            raise LibraryNotOwned(message, value=library.name, limit="libraries of your own key")
