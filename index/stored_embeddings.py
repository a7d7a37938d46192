"""How rows of the catalogue store embeddings: as bytes of little-endian float32, and checked when they are read."""

import numpy as np
from numpy.typing import NDArray

from models.errors import IndexDamaged


def to_bytes(embedding: NDArray[np.float32]) -> bytes:
    """Encode an embedding `[dim]` as little-endian float32 bytes, as rows store it."""
    return np.ascontiguousarray(embedding, dtype="<f4").tobytes()


def from_bytes(data: bytes) -> NDArray[np.float32]:
    """Decode the embedding `[dim]` of a row. Raises IndexDamaged if the bytes are not finite float32 numbers."""
    if len(data) % 4:
        raise IndexDamaged(f"an embedding of {len(data)} bytes is damaged", value=len(data))
    embedding = np.frombuffer(data, dtype="<f4").astype(np.float32)
    if not np.isfinite(embedding).all():
        raise IndexDamaged("an embedding holds numbers that are not finite", value="NaN or infinity")
    return embedding
