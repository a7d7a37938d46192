"""Stores how bright, hard and long each instrument's preview is, and searches in a direction, such as brighter.

The table is one of the catalogue's, with the same base. Instruments are measured at enrollment, by the preview that everybody
hears of them; those of before are measured from its file (`measure_missing`). So all are measured of the same material.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from index.catalog import Catalog, Instrument
from index.declarative import Base
from models.descriptors import Descriptors, describe
from models.errors import AudioError

AT_ONCE = 50  # instruments of a transaction
WEIGHT = 0.5  # of a direction beside the cosine: for an instrument that is much further in it than the others
_BATCH = 500  # ids in one SQL condition

ReadPreview = Callable[
    [Path], tuple[NDArray[np.float32], int]
]  # samples [n] and their rate; raises AudioError


class SoundDescriptors(Base):
    """The descriptors of an instrument; none where its preview is missing, silent or damaged."""

    __tablename__ = "sound_descriptors"

    vector_id: Mapped[int] = mapped_column(
        ForeignKey("instrument.vector_id", ondelete="CASCADE"), primary_key=True
    )
    brightness: Mapped[float | None]
    attack: Mapped[float | None]
    length: Mapped[float | None]


class Directions(NamedTuple):
    """Where to look from an instrument, each -1 to 1: darker to brighter, softer to harder attack, shorter to longer."""

    brightness: float = 0.0
    attack: float = 0.0
    length: float = 0.0


def descriptors_row(vector_id: int, found: Descriptors | None) -> SoundDescriptors:
    """Make the row of an instrument."""
    brightness, attack, length = found or (None, None, None)
    return SoundDescriptors(vector_id=vector_id, brightness=brightness, attack=attack, length=length)


def measure_missing(
    catalog: Catalog, preview_file: Callable[[str], Path], read: ReadPreview, stopped: Callable[[], bool]
) -> int:
    """Measure the previews of all instruments that are not measured yet, until `stopped`; return how many were stored."""
    number = 0
    while (rows := _unmeasured(catalog)) and not stopped():
        found: list[tuple[int, Descriptors | None]] = []
        for vector_id, instrument_id in rows:
            if stopped():
                break
            found.append((vector_id, _measured(preview_file(instrument_id), read)))
        with catalog.write(patient=True) as session:
            present = _present(session, [vector_id for vector_id, _ in found])
            for vector_id, one in found:
                if vector_id in present:
                    session.merge(descriptors_row(vector_id, one))
        number += len(found)
    return number


def scores(
    catalog: Catalog, cosines: NDArray[np.float32], vector_ids: Sequence[int], like: int, to: Directions
) -> NDArray[np.float64]:
    """The cosines `[n]` of a library's instruments with the one of vector id `like`, moved in directions.

    A direction adds at most `WEIGHT`: by the hyperbolic tangent of how many standard deviations of the library an instrument
    lies in it. One that is not measured stays where it is.
    """
    values = _values(catalog, vector_ids)  # [n, 3]
    from_here = values - values[list(vector_ids).index(like)]
    spread = np.nanstd(values, axis=0) if np.isfinite(values).any(axis=0).all() else np.ones(3)
    moved = np.tanh(from_here / np.maximum(spread, 1e-6)) @ np.array([to.brightness, -to.attack, to.length])
    scored: NDArray[np.float64] = cosines + WEIGHT * np.nan_to_num(moved)
    return scored


def _values(catalog: Catalog, vector_ids: Sequence[int]) -> NDArray[np.float64]:
    """The descriptors of instruments `[n, 3]`; NaN where they are not measured."""
    columns = SoundDescriptors.brightness, SoundDescriptors.attack, SoundDescriptors.length
    found: dict[int, tuple[float | None, ...]] = {}
    with catalog.session() as session:
        for start in range(0, len(vector_ids), _BATCH):
            chosen = SoundDescriptors.vector_id.in_(vector_ids[start : start + _BATCH])
            rows = session.execute(select(SoundDescriptors.vector_id, *columns).where(chosen))
            found |= {vector_id: tuple(values) for vector_id, *values in rows}
    return np.array([found.get(one, (None, None, None)) for one in vector_ids], np.float64).reshape(-1, 3)


def _unmeasured(catalog: Catalog) -> list[tuple[int, str]]:
    """The vector id and the id of the next instruments without a row, deleted ones too: they can be restored."""
    without = (
        ~select(SoundDescriptors.vector_id).where(SoundDescriptors.vector_id == Instrument.vector_id).exists()
    )
    rows = select(Instrument.vector_id, Instrument.id).where(without)
    with catalog.session() as session:
        found = session.execute(rows.order_by(Instrument.vector_id).limit(AT_ONCE))
        return [(vector_id, instrument_id) for vector_id, instrument_id in found]


def _present(session: Session, vector_ids: Sequence[int]) -> set[int]:
    return set(session.scalars(select(Instrument.vector_id).where(Instrument.vector_id.in_(vector_ids))))


def _measured(preview: Path, read: ReadPreview) -> Descriptors | None:
    with suppress(AudioError, OSError):
        return describe(*read(preview))
    return None
