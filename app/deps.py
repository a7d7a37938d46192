"""Dependencies and parameters of the routes as annotated aliases: the running service, what an address names, a page's bounds.

A route gets the library, instrument, query or job of its address from here, where the caller's access to it has been checked.
"""

from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

from fastapi import Depends, Form, Header, Path, Query, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer

from app.access.gate import COOKIE
from app.access.ownership import Access, Caller
from app.errors import documented
from app.job_store import JOB_CURSOR, JobView
from app.query_store import QUERY_CURSOR
from app.question import FamilyName
from app.resumable import UploadView
from app.service import Service
from index.instruments import INSTRUMENT_CURSOR, Sort
from index.records import InstrumentInfo, LibraryInfo
from models.errors import Busy, KeyRefused, KeyRequired, ScopeTooSmall, TooManyAttempts, TooManyRequests

DEFAULT_PAGE = 50
MAX_PAGE = 500


def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


ServiceDep = Annotated[Service, Depends(_service)]

# Documentation of what `app/access/gate.py` asks for; on loopback it asks for nothing.
_BEARER = HTTPBearer(
    scheme_name="key", auto_error=False, description="A key of `showme keys create`, where keys are needed."
)
_SESSION = APIKeyCookie(
    name=COOKIE, scheme_name="session", auto_error=False, description="The session of POST /v1/session."
)
CREDENTIALS = [Security(_BEARER), Security(_SESSION)]
REFUSED = documented(KeyRequired, KeyRefused, ScopeTooSmall, TooManyAttempts)
BACK_PRESSURE = (Busy, TooManyAttempts, TooManyRequests)  # of routes whose work is queued


def _caller(request: Request) -> Caller:
    caller = request.state.caller
    assert isinstance(caller, Caller)
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]


def _access(caller: CallerDep, service: ServiceDep) -> Access:
    return service.engine.access.of(caller)


AccessDep = Annotated[Access, Depends(_access)]

LibraryId = Annotated[str, Path(description="Id or name of the library.")]
DeletedLibraryId = Annotated[str, Path(description="Id of the library.")]
InstrumentId = Annotated[str, Path(description="Id of the instrument.")]
QueryId = Annotated[str, Path(description="Id of the query.")]
JobId = Annotated[str, Path(description="Id of the job.")]
UploadId = Annotated[str, Path(description="Id of the resumable upload.")]


def _library(library_id: LibraryId, access: AccessDep) -> LibraryInfo:
    return access.library(library_id)


def _own_library(library_id: LibraryId, access: AccessDep) -> LibraryInfo:
    return access.library(library_id, to_change=True)


def _instrument(instrument_id: InstrumentId, access: AccessDep) -> InstrumentInfo:
    return access.instrument(instrument_id)


def _own_instrument(instrument_id: InstrumentId, access: AccessDep) -> InstrumentInfo:
    return access.instrument(instrument_id, to_change=True)


def _query(query_id: QueryId, access: AccessDep) -> str:
    return access.query(query_id)


def _job(job_id: JobId, access: AccessDep, service: ServiceDep) -> JobView:
    return access.check_job(service.jobs.view(job_id))


def _upload(upload_id: UploadId, access: AccessDep, service: ServiceDep) -> UploadView:
    return access.check_upload(service.uploads.view(upload_id))


LibraryDep = Annotated[LibraryInfo, Depends(_library)]  # that the caller may read
OwnLibraryDep = Annotated[LibraryInfo, Depends(_own_library)]  # … may change
InstrumentDep = Annotated[InstrumentInfo, Depends(_instrument)]
OwnInstrumentDep = Annotated[InstrumentInfo, Depends(_own_instrument)]
OwnQueryId = Annotated[str, Depends(_query)]
JobDep = Annotated[JobView, Depends(_job)]
UploadDep = Annotated[UploadView, Depends(_upload)]

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        description="Any text of the client's choice, a new one for each request: the same request, sent again with the same "
        "key within 24 hours, gets the first answer and is not done again.",
    ),
]

SearchedFamily = Annotated[
    FamilyName | Literal["unknown"] | None,
    Query(description="Only instruments of this family; `unknown`: only those without one."),
]
SearchedName = Annotated[
    str | None, Query(max_length=200, description="Words, each part of the name or of a tag, in either case.")
]
SearchedOrder = Annotated[Sort, Query(description="Order; `enrolled`: the oldest first.")]
FavouritesOnly = Annotated[bool, Query(description="Whether to list favourites only.")]

MULTIPART = Form(media_type="multipart/form-data")


class Page(NamedTuple):
    """`limit` items after the cursor `next`, which the page before gave; None for the first page."""

    limit: int
    next: str | None


def _pages(cursor: str | None = None) -> Callable[..., Page]:
    """Make the dependency of a list, whose `next` matches the regular expression `cursor`."""
    description = "`next` of the page before; left out for the first."

    def page(
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Items per page.")] = DEFAULT_PAGE,
        next: Annotated[str | None, Query(max_length=400, pattern=cursor, description=description)] = None,
    ) -> Page:
        return Page(limit, next)

    return page


LibraryPageDep = Annotated[Page, Depends(_pages())]
InstrumentPageDep = Annotated[Page, Depends(_pages(INSTRUMENT_CURSOR))]
JobPageDep = Annotated[Page, Depends(_pages(JOB_CURSOR))]
QueryPageDep = Annotated[Page, Depends(_pages(QUERY_CURSOR))]
