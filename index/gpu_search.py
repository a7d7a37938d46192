"""Exact cosine search on the GPU in plain torch: one matrix product and a top-k over the whole library.

Stands in for FAISS's GPU index where the installed FAISS is the CPU build; its answers equal the CPU's.
"""

import numpy as np
import torch
from numpy.typing import NDArray


class TorchSearch:
    """`ids [n]` and their unit vectors `[n, dim]`, held on `device` in float32."""

    def __init__(self, ids: NDArray[np.int64], vectors: NDArray[np.float32], device: str) -> None:
        self._device = torch.device(device)
        self._ids = torch.from_numpy(ids).to(self._device)
        self._vectors = torch.from_numpy(vectors).to(self._device)  # [n, dim]

    def search(
        self, queries: NDArray[np.float32], k: int, allowed: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids and inner products `[q, min(k, n)]`, best first; what `allowed` leaves out comes as −1 with −inf."""
        with torch.inference_mode():
            scores = (
                torch.from_numpy(np.ascontiguousarray(queries)).to(self._device) @ self._vectors.T
            )  # [q, n]
            if allowed is not None:
                kept = torch.isin(self._ids, torch.from_numpy(allowed).to(self._device))
                scores.masked_fill_(~kept, -torch.inf)
            best, columns = scores.topk(min(k, len(self._ids)), dim=1)
            ids = self._ids[columns].masked_fill(best == -torch.inf, -1)
            return ids.cpu().numpy(), best.cpu().numpy()
