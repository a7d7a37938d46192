"""The tables of what comes in over days: uploads that are sent in pieces.

They are those of the catalogue (`index/catalog.py`), with the same base.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import BigInteger, String, Text, select
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


def uploads_in_progress(session: Session, moment: datetime) -> Collection[str]:
    """Return the ids of the uploads that have not expired at a moment."""
    return session.scalars(select(ResumableUpload.id).where(ResumableUpload.expires_at > moment)).all()
