"""The record of deletions: who deleted what and when, stored in the transaction of the deletion itself.

It holds ids and no names. What follows from a deletion (its purge an hour later) or from a limit (old queries that make room)
is not recorded: nobody asked for it.
"""

from contextvars import ContextVar
from datetime import datetime
from typing import Literal, NamedTuple, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from index.catalog import Catalog, Deletion

DeletedKind = Literal["library", "instrument", "query", "key"]


class Actor(NamedTuple):
    """Who asks for a deletion: an access key and its request; without either the owner of the machine."""

    key_id: str | None = None
    request_id: str | None = None


ACTOR: ContextVar[Actor] = ContextVar("actor", default=Actor())  # noqa: B039 a tuple cannot be altered


class RecordedDeletion(NamedTuple):
    """One deletion, with the names that the table has."""

    created_at: datetime
    kind: DeletedKind
    item_id: str
    key_id: str | None
    request_id: str | None


def record_deletion(session: Session, kind: DeletedKind, item_id: str) -> None:
    """Record that the present actor deletes this, in the transaction that does so."""
    actor = ACTOR.get()
    session.add(Deletion(kind=kind, item_id=item_id, key_id=actor.key_id, request_id=actor.request_id))


def recorded_deletions(catalog: Catalog, limit: int) -> list[RecordedDeletion]:
    """Return the last `limit` deletions, the newest first."""
    with catalog.session() as session:
        rows = session.scalars(select(Deletion).order_by(Deletion.id.desc()).limit(limit)).all()
    return [
        RecordedDeletion(row.created_at, cast(DeletedKind, row.kind), row.item_id, row.key_id, row.request_id)
        for row in rows
    ]
