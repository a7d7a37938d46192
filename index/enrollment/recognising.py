"""Families for instruments that were enrolled before there was a model to recognise them, from their clips' embeddings."""

from contextlib import suppress
from typing import NamedTuple

import numpy as np
from sqlalchemy import ColumnElement, select, update

from index.catalog import Catalog, Clip, Instrument
from index.enrollment.hearing import recognise
from index.stored_embeddings import from_bytes
from models.errors import IndexDamaged
from models.family import FamilyModel

AT_ONCE = 200  # instruments of a transaction


class Recognised(NamedTuple):
    """An instrument by its vector id, and the probabilities of its families."""

    vector_id: int
    families: dict[str, float]


def recognise_unnamed(catalog: Catalog, encoder_hash: str, model: FamilyModel) -> int:
    """Recognise the families that neither a source nor a person names; return how many are told.

    Embeddings of other encoders, and damaged ones, are left out: embedding them again recognises them.
    """
    number, last = 0, -1
    while ids := _unnamed(catalog, encoder_hash, after=last):
        found, last = _heard(catalog, ids, model), ids[-1]
        with catalog.write() as session:
            for one in found:
                unnamed = (Instrument.vector_id == one.vector_id) & _unnamed_by(encoder_hash)
                session.execute(update(Instrument).where(unnamed).values(families=one.families))
        number += len(found)
    return number


def _unnamed_by(encoder_hash: str) -> ColumnElement[bool]:
    return (
        Instrument.family.is_(None)
        & Instrument.families.is_(None)
        & ~Instrument.family_corrected
        & (Instrument.encoder_hash == encoder_hash)
    )


def _unnamed(catalog: Catalog, encoder_hash: str, after: int) -> list[int]:
    """The vector ids of the next instruments without any family."""
    rows = select(Instrument.vector_id).where(_unnamed_by(encoder_hash), Instrument.vector_id > after)
    with catalog.session() as session:
        return list(session.scalars(rows.order_by(Instrument.vector_id).limit(AT_ONCE)))


def _heard(catalog: Catalog, ids: list[int], model: FamilyModel) -> list[Recognised]:
    rows = select(Clip.vector_id, Clip.embedding).where(Clip.vector_id.in_(ids))
    clips: dict[int, list[bytes]] = {}
    with catalog.session() as session:
        for vector_id, embedding in session.execute(rows.order_by(Clip.vector_id, Clip.position)):
            clips.setdefault(vector_id, []).append(embedding)
    found = []
    for vector_id, embeddings in clips.items():
        with suppress(IndexDamaged, ValueError):  # clips of several lengths
            families = recognise(model, np.stack([from_bytes(one) for one in embeddings]))
            found.append(Recognised(vector_id, families))
    return found
