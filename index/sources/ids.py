"""Makes ids of instruments from their names: readable, safe in file names, unique within their source.

Manifests, seeds and file names refer to an instrument by its id (docs/ARCHITECTURE.md, decision 5).
"""

import re
import unicodedata
import zlib
from collections.abc import Iterable

MAX_SLUG = 50  # characters
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,119}")


def is_safe(key: str) -> bool:
    """Return whether `key` can be an id unchanged: a plain file name without spaces."""
    return _SAFE.fullmatch(key) is not None


def slug(text: str) -> str:
    """Return `text` in lower-case ASCII letters, digits and underscores, without accents and other scripts.

    A checksum replaces the end of more than 50 characters and a text of which nothing is left.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = "_".join(re.findall(r"[a-z0-9]+", plain))
    if (not words and text) or len(words) > MAX_SLUG:
        words = _joined(words[: MAX_SLUG - 9], text)
    return words


def instrument_ids(source: str, named: Iterable[tuple[str, str]]) -> list[str]:
    """Return an id `<source>_<name>` for each (name, key) in order; keys are unique, names need not be.

    An id that is empty or already taken gets a checksum of its key.
    """
    ids: dict[str, None] = {}
    for name, key in named:
        made = "_".join(part for part in (slug(source), slug(name)) if part)
        ids[made if made and made not in ids else _joined(made, key)] = None
    return list(ids)


def _joined(start: str, text: str) -> str:
    checksum = f"{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"
    return f"{start}_{checksum}" if start else checksum
