"""What libraries and instruments may be called, and which families there are: checked before anything is written.

A name is taken by what can be seen; what is deleted gives its name free (`index.shelf`).
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from index.catalog import Instrument, Library
from index.families import FAMILIES
from index.lookups import instruments_of
from models.errors import InstrumentExists, InvalidRequest, LibraryExists

MAX_NAME_LENGTH = 200  # of a library
MAX_INSTRUMENT_NAME_LENGTH = 300


def clean_name(what: str, name: str, longest: int) -> str:
    """`name` with white space counting once. Raises InvalidRequest for an empty or overlong one."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= longest:
        limit = f"1 to {longest} characters"
        raise InvalidRequest(f"{what} has {limit}, this one {len(name)}", value=name[:50], limit=limit)
    return name


def check_family(family: str | None) -> None:
    """Raises InvalidRequest for what is neither a family nor None."""
    if family is not None and family not in FAMILIES:
        raise InvalidRequest(f"{family[:50]!r} is not a family", value=family[:50], limit=", ".join(FAMILIES))


def check_library_name(session: Session, name: str) -> None:
    """Raises LibraryExists if a library has the name."""
    taken = select(Library.id).where(Library.name == name, Library.deleted_at.is_(None))
    if session.scalars(taken).first() is not None:
        raise LibraryExists(f"there is a library {name!r} already", value=name)


def check_instrument_name(session: Session, library: Library, name: str) -> None:
    """Raises InstrumentExists if an instrument of the library has the name."""
    if session.scalars(instruments_of(library.id).where(Instrument.name == name)).first() is not None:
        raise InstrumentExists(f"{library.name!r} has an instrument {name!r} already", value=name)
