"""`showme keys` and `showme audit`: the access keys of the data folder, and who deleted what. No encoder is loaded.

They act on the database, beside a service that runs: it knows a new key, and refuses a revoked one, at the next request.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from app.access.keys import SCOPES, AccessKeys, KeyInfo
from app.cli.context import read_settings
from app.cli.terminal import err, out, print_table
from index.catalog import Catalog
from index.deletions import recorded_deletions
from index.libraries import utc_now
from models.errors import InvalidRequest


def create(name: str, scope: str, days: float | None) -> None:
    """Create a key, and print its secret alone on standard output."""
    chosen = next((one for one in SCOPES if one == scope), None)
    if chosen is None:
        raise InvalidRequest(f"there is no scope {scope!r}", value=scope, limit=", ".join(SCOPES))
    with _catalog() as catalog:
        key, secret = AccessKeys(catalog).create(name, chosen, days)
    err.print(f"key {key.id}, scope {key.scope}; it is shown this once, and only its hash is kept:")
    out.print(secret, markup=False, soft_wrap=True)


def show() -> None:
    """Print the keys, without their secrets."""
    with _catalog() as catalog:
        keys = AccessKeys(catalog).all()
    columns = ("key", "id", "scope", "created", "last used", "expires", "state")
    rows = [
        (key.name, key.id, key.scope, _day(key.created_at), _day(key.last_used_at), _day(key.expires_at))
        for key in keys
    ]
    print_table(_table(columns, [(*row, _state(key)) for row, key in zip(rows, keys, strict=True)]))


def revoke(key_id: str) -> None:
    """Revoke a key."""
    with _catalog() as catalog:
        key = AccessKeys(catalog).revoke(key_id)
    out.print(f"{key.name} ({key.id}) is revoked, and its sessions have ended", markup=False)


def audit(limit: int) -> None:
    """Print the last deletions, the newest first."""
    with _catalog() as catalog:
        found = recorded_deletions(catalog, limit)
    columns = ("time, UTC", "deleted", "id", "by key", "request")
    rows = [
        (f"{one.created_at:%Y-%m-%d %H:%M:%S}", one.kind, one.item_id, one.key_id, one.request_id)
        for one in found
    ]
    print_table(_table(columns, rows))


@contextmanager
def _catalog() -> Iterator[Catalog]:
    """Open the catalogue of the settings, which is created if need be."""
    catalog = Catalog(read_settings().catalogue)
    try:
        catalog.migrate()
        yield catalog
    finally:
        catalog.close()


def _table(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell or "–") for cell in row))
    return table


def _day(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else None


def _state(key: KeyInfo) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "valid" if key.is_valid(utc_now()) else "expired"
