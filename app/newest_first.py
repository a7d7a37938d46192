"""Pages of lists that show the newest first: the cursor, and the condition of the rows that follow it.

A cursor holds the moment and the id of a page's last item, so that what is added meanwhile moves nothing.
"""

import re
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from models.errors import InvalidRequest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def cursor_pattern(prefix: str) -> str:
    """Return the regular expression of cursors: microseconds since 1970, and an id that begins with `prefix`."""
    return rf"^([0-9]{{1,17}})_({prefix}_[0-9a-f]{{12}})$"


def cursor_at(created_at: datetime, item_id: str) -> str:
    """Return the cursor of the page that follows an item."""
    return f"{(created_at - _EPOCH) // _MICROSECOND}_{item_id}"


def follows(
    cursor: str,
    pattern: str,
    created_at: InstrumentedAttribute[datetime],
    item_id: InstrumentedAttribute[str],
) -> ColumnElement[bool]:
    """Return the condition of the rows after a cursor, ordered by `created_at` downwards, then by id.

    Raises InvalidRequest for a text that is no such cursor.
    """
    match = re.fullmatch(pattern, cursor)
    if match is None:
        raise InvalidRequest("`next` is not a cursor that an earlier page gave", value=cursor[:50])
    moment = _EPOCH + int(match[1]) * _MICROSECOND
    return (created_at < moment) | ((created_at == moment) & (item_id > match[2]))
