"""How texts are sent to PostgreSQL. Imports psycopg, so it is imported when a connection is made."""

from psycopg.abc import Buffer
from psycopg.types.string import StrDumperUnknown


def storable(text: str) -> str:
    """Return a text with replacement characters for what PostgreSQL cannot hold: code 0, and half a surrogate pair."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


class TextDumper(StrDumperUnknown):
    """Sends texts as PostgreSQL can hold them.

    Others come from names in damaged files and from addresses that nobody meant; SQLite takes them as they are.
    """

    def dump(self, obj: str) -> Buffer:
        return storable(obj).encode()
