"""The tables of what comes in over days: uploads that are sent in pieces, and folders that are watched.

They are those of the catalogue (`index/catalog.py`), with the same base.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text, false, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from index.declarative import Base, UtcDateTime, id_column, now


class ResumableUpload(Base):
    """A file that is sent in pieces (`app/resumable.py`), of `key_id`: the size it will have, and the header that names it.

    The size of the file in the folder of its id, below `uploads/`, tells how much has arrived. At `expires_at` it is given up.
    """

    __tablename__ = "upload"

    id: Mapped[str] = id_column("u")
    key_id: Mapped[str | None] = mapped_column(String(16), index=True)
    file_name: Mapped[str] = mapped_column(Text)
    described: Mapped[str] = mapped_column(Text)  # Upload-Metadata, as it was sent
    num_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Watch(Base):
    """A folder that a library follows (`index/watching/`). `path` is absolute and without links.

    The process `owner` follows it, and renews `leased_until` (`index/leases.py`); services follow those alone that are
    `in_service`, the others are a command's. `fault` is why it cannot be followed now. `key_id` is the access key that asked
    for it.
    """

    __tablename__ = "watch"

    id: Mapped[str] = id_column("w")
    library_id: Mapped[str] = mapped_column(ForeignKey("library.id", ondelete="CASCADE"), index=True)
    path: Mapped[str] = mapped_column(Text)
    in_service: Mapped[bool] = mapped_column(default=False, server_default=false())
    key_id: Mapped[str | None] = mapped_column(String(16))
    fault: Mapped[str | None] = mapped_column(Text)
    owner: Mapped[str | None] = mapped_column(String(16))
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    synced_at: Mapped[datetime | None] = mapped_column(
        UtcDateTime
    )  # when folder and library were last the same
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class WatchedFile(Base):
    """A file of a watched folder as it was when its content was hashed; it is hashed again when size or time differ."""

    __tablename__ = "watched_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    watch_id: Mapped[str] = mapped_column(ForeignKey("watch.id", ondelete="CASCADE"), index=True)
    path: Mapped[str] = mapped_column(Text)  # relative to the watched folder
    num_bytes: Mapped[int] = mapped_column(BigInteger)
    modified_ns: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


class WatchedEntry(Base):
    """A file or folder directly in a watched folder, and the ids of the instruments that come from it.

    `digest` is that of its content, by which it is known again under another name. `fault` is why nothing of this content is in
    the library.
    """

    __tablename__ = "watched_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    watch_id: Mapped[str] = mapped_column(ForeignKey("watch.id", ondelete="CASCADE"), index=True)
    path: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    instruments: Mapped[list[str]] = mapped_column(JSON)
    fault: Mapped[str | None] = mapped_column(Text)


def uploads_in_progress(session: Session, moment: datetime) -> Collection[str]:
    """Return the ids of the uploads that have not expired at a moment."""
    return session.scalars(select(ResumableUpload.id).where(ResumableUpload.expires_at > moment)).all()
