"""Dependencies and parameters of the routes as annotated aliases: the running service, ids in paths, a page's bounds."""

from collections.abc import Callable
from typing import Annotated, NamedTuple

from fastapi import Depends, Form, Header, Path, Query, Request

from app.query_store import QUERY_CURSOR
from app.service import Service
from index.instruments import INSTRUMENT_CURSOR

DEFAULT_PAGE = 50
MAX_PAGE = 500


def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


ServiceDep = Annotated[Service, Depends(_service)]

LibraryId = Annotated[str, Path(description="Id or name of the library.")]
DeletedLibraryId = Annotated[str, Path(description="Id of the library.")]
InstrumentId = Annotated[str, Path(description="Id of the instrument.")]
QueryId = Annotated[str, Path(description="Id of the query.")]
JobId = Annotated[str, Path(description="Id of the job.")]

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        description="Any text of the client's choice, a new one for each request: the same request, sent again with the same "
        "key within 24 hours, gets the first answer and is not done again.",
    ),
]

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
QueryPageDep = Annotated[Page, Depends(_pages(QUERY_CURSOR))]
