"""How texts are sent to PostgreSQL. Imports psycopg, so it is imported when a connection is made."""

from psycopg.abc import Buffer
from psycopg.types.string import StrDumperUnknown


class TextDumper(StrDumperUnknown):
    """Sends what PostgreSQL cannot hold (a character of code 0, half a surrogate pair) as a replacement character.

    Such texts come from names in damaged files and from addresses that nobody meant; SQLite takes them as they are.
    """

    def dump(self, obj: str) -> Buffer:
        return obj.replace("\0", "\ufffd").encode("utf-8", "replace")
