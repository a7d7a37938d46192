"""A library seen in two dimensions: principal components of its instruments' embeddings.

Pearson's PCA by singular value decomposition; signs are fixed so that the same library always gives the same picture.
"""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from index.catalog import Instrument, from_bytes
from index.instrument_index import InstrumentIndex, InstrumentInfo, LibraryInfo
from index.lookups import instrument_info

Points = NDArray[np.float64]


def library_map(
    index: InstrumentIndex, library: LibraryInfo
) -> tuple[list[InstrumentInfo], Points, tuple[float, float]]:
    """The library's instruments in the order of enrollment, and `project` of their embeddings."""
    rows = select(Instrument).where(Instrument.library_id == library.id).order_by(Instrument.vector_id)
    with index.catalog.session() as session:
        pairs = [(instrument_info(row), from_bytes(row.embedding)) for row in session.scalars(rows)]
    embedding = np.array([vector for _, vector in pairs], np.float32).reshape(len(pairs), index.embedding_dim)
    return [info for info, _ in pairs], *project(embedding)


def project(embedding: NDArray[np.float32]) -> tuple[Points, tuple[float, float]]:
    """`embedding [n, dim]` → points `[n, 2]` within ±1, and the share of the variance on each of the two axes.

    Both axes share one scale, so that distances compare; the largest coordinate (in size) of each axis is positive.
    """
    points = np.zeros((len(embedding), 2))
    share = np.zeros(2)
    if len(embedding) >= 2:
        centred = embedding.astype(np.float64) - embedding.mean(axis=0, dtype=np.float64)
        left, singular, _ = np.linalg.svd(centred, full_matrices=False)
        kept = min(2, len(singular))
        points[:, :kept] = left[:, :kept] * singular[:kept]
        variance = singular**2
        if variance.sum() > 1e-12:
            share[:kept] = variance[:kept] / variance.sum()
    extreme = points[np.abs(points).argmax(axis=0), [0, 1]] if len(points) else np.ones(2)
    points *= np.where(extreme < 0, -1.0, 1.0)
    scale = np.abs(points).max(initial=0.0)
    return points / scale if scale > 1e-9 else np.zeros_like(points), (float(share[0]), float(share[1]))
