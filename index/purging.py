"""Deletes the rows of libraries and instruments for good, and tells which files go with them."""

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from index.catalog import Instrument, Library
from index.leases import sources_in_use


class PurgedRows(NamedTuple):
    """The ids of rows that were deleted for good, and the uploads that no instrument comes from any more."""

    library_ids: list[str]
    instrument_ids: list[str]
    uploads: set[str]


def delete_for_good(
    session: Session, libraries: ColumnElement[bool], instruments: ColumnElement[bool]
) -> PurgedRows:
    """Delete these rows and all that belongs to them."""
    rows = delete(Instrument).where(instruments).returning(Instrument.id, Instrument.source_path)
    deleted = session.execute(rows).all()
    library_ids = session.scalars(delete(Library).where(libraries).returning(Library.id)).all()
    uploads = {path for _, path in deleted if path and not Path(path).is_absolute()}
    if uploads:
        uploads -= {path for path in session.scalars(select(Instrument.source_path).distinct()) if path}
        uploads.difference_update(sources_in_use(session))
    return PurgedRows(list(library_ids), [one for one, _ in deleted], uploads)
