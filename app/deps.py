"""What routes ask for, as annotated aliases: the service, a query's form fields, a page's bounds.

The aliases carry the descriptions and limits that OpenAPI shows.
"""

from typing import Annotated, NamedTuple

from fastapi import Depends, Form, Query, Request

from app.answering import MAX_EXCLUDED, Question
from app.schemas import Mode, Seconds
from app.service import Service
from app.settings import DEFAULT_TOP_K
from index.families import FAMILIES

DEFAULT_PAGE = 50
MAX_PAGE = 500


def _service(request: Request) -> Service:
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


ServiceDep = Annotated[Service, Depends(_service)]


def _question(
    library: Annotated[
        str | None,
        Form(description="id or name; empty means the default library, else the only one", max_length=200),
    ] = None,
    top_k: Annotated[
        int, Form(ge=1, description="hits per slot, at most SHOWME_MAX_TOP_K (100)")
    ] = DEFAULT_TOP_K,
    mode: Annotated[
        Mode,
        Form(description="`auto`: slots with presence, linked over time; `paper`: every slot, R as a set"),
    ] = "auto",
    start_seconds: Annotated[Seconds, Form(description="listen from here")] = 0.0,
    end_seconds: Annotated[
        Seconds | None, Form(description="listen up to here; empty means to the end")
    ] = None,
    family: Annotated[
        str | None,
        Form(description="only instruments of this family", json_schema_extra={"enum": [*FAMILIES, None]}),
    ] = None,
    exclude: Annotated[
        list[str], Form(max_length=MAX_EXCLUDED, description="ids of instruments that must not be hit")
    ] = [],  # noqa: B006 - FastAPI copies it
) -> Question:
    return Question(library, mode, top_k, start_seconds, end_seconds, family, tuple(exclude))


QuestionDep = Annotated[Question, Depends(_question)]


class Page(NamedTuple):
    """`limit` items after the cursor `next` (an id given by the page before; None for the first page)."""

    limit: int
    next: str | None


def _page(
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="items per page")] = DEFAULT_PAGE,
    next: Annotated[str | None, Query(max_length=400, description="`next` of the page before")] = None,
) -> Page:
    return Page(limit, next)


PageDep = Annotated[Page, Depends(_page)]
