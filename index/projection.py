"""A library seen in two dimensions: t-SNE of its instruments' embeddings, or their principal components.

t-SNE (van der Maaten and Hinton 2008, by scikit-learn) keeps neighbours together; Pearson's PCA stands in for libraries that
are too small for it or too large. The same library always gives the same picture.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from index.vector_store import Floats
from models.posterior import SCALE

Points = NDArray[np.float64]
Method = Literal["t-SNE", "PCA"]

FEWEST = 10  # instruments that have neighbours worth keeping together
MOST = (
    5000  # instruments that t-SNE places in ten seconds of one core; its time grows faster than their number
)
PERPLEXITY = 30.0
COMPONENTS = 50  # principal ones that t-SNE looks at
ITERATIONS = 500
NEIGHBOURS = 5
MOST_GUESSED = 0.1  # share of a t-SNE map that may be placed by neighbours before it is drawn anew


@dataclass(frozen=True)
class Layout:
    """Points `[n, 2]` within ±1; PCA also says the share of the variance on each axis."""

    method: Method
    points: Points
    explained_variance: tuple[float, float] | None = None
    num_guessed: int = 0  # instruments that came after the map was drawn


def method_for(num_instruments: int) -> Method:
    return "t-SNE" if FEWEST <= num_instruments <= MOST else "PCA"


def lay_out(embedding: Floats, earlier: Layout | None = None) -> Layout:
    """Places for unit embeddings `[n, dim]`.

    `earlier` has the points `[n, 2]` of the map so far, NaN for what it does not know. A few new instruments are placed
    beside what they resemble, so that the rest stays where a person has seen it.
    """
    if method_for(len(embedding)) == "PCA":
        points, share = project(embedding)
        return Layout("PCA", points, share)
    if earlier is not None and earlier.method == "t-SNE":
        known = ~np.isnan(earlier.points).any(axis=1)
        num_guessed = earlier.num_guessed + int((~known).sum())
        if num_guessed <= MOST_GUESSED * len(embedding):
            points = earlier.points.copy()
            points[~known] = _beside(embedding[~known] @ embedding[known].T, points[known])
            return Layout("t-SNE", points, num_guessed=num_guessed)
    return Layout("t-SNE", t_sne(embedding))


def project(embedding: Floats) -> tuple[Points, tuple[float, float]]:
    """`embedding [n, dim]` → points `[n, 2]` within ±1, and the share of the variance on each of the two axes.

    Both axes share one scale, so that distances compare; the largest coordinate (in size) of each axis is positive.
    """
    points = np.zeros((len(embedding), 2))
    share = np.zeros(2)
    components, variance = _principal(embedding)
    if variance.sum() > 1e-12:
        kept = min(2, len(variance))
        points[:, :kept] = components[:, :kept]
        share[:kept] = variance[:kept] / variance.sum()
    return _within_one(points), (float(share[0]), float(share[1]))


def t_sne(embedding: Floats) -> Points:
    """`embedding [n ≥ 4, dim]` → points `[n, 2]` within ±1, beginning from the principal components."""
    from sklearn.manifold import TSNE  # takes a second to import
    from threadpoolctl import threadpool_limits

    components, _ = _principal(embedding)
    spread = components[:, 0].std() if components.size else 0.0
    if spread < 1e-6:  # all of them sound the same
        return np.zeros((len(embedding), 2))
    begin = np.zeros((len(embedding), 2), np.float32)
    begin[:, : components.shape[1]] = components[:, :2] / spread * 1e-4
    perplexity = min(PERPLEXITY, (len(embedding) - 1) / 3)
    model = TSNE(2, perplexity=perplexity, init=begin, max_iter=ITERATIONS, random_state=0, n_jobs=1)
    with threadpool_limits(1, user_api="openmp"):  # the other cores belong to queries
        points = model.fit_transform(components[:, :COMPONENTS].astype(np.float32))
    return _within_one(points.astype(np.float64))


def nearest_mean(similarity: NDArray[np.floating], points: Points) -> Points:
    """The mean of `points [k, 2]`, weighted by a softmax of the cosines `similarity [k]` as the posterior weighs them."""
    weights = np.exp(SCALE * (similarity - similarity.max()))
    mean: Points = weights @ points / weights.sum()
    return mean


def _beside(cosine: Floats, points: Points) -> Points:
    """Among `points [k, 2]`, a place for each row of `cosine [n, k]` amid its nearest."""
    nearest = np.argsort(-cosine, axis=1)[:, :NEIGHBOURS]
    placed = [nearest_mean(row[near], points[near]) for row, near in zip(cosine, nearest, strict=True)]
    return np.array(placed).reshape(len(cosine), 2)


def _principal(embedding: Floats) -> tuple[Points, Points]:
    """Components `[n, min(n, dim)]`, greatest first, each with its largest value (in size) positive; their variances."""
    if len(embedding) < 2:
        return np.zeros((len(embedding), 0)), np.zeros(0)
    centred = embedding.astype(np.float64) - embedding.mean(axis=0, dtype=np.float64)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    components = left * singular
    extreme = components[np.abs(components).argmax(axis=0), np.arange(components.shape[1])]
    return components * np.where(extreme < 0, -1.0, 1.0), singular**2


def _within_one(points: Points) -> Points:
    scale = np.abs(points).max(initial=0.0)
    return points / scale if scale > 1e-9 else np.zeros_like(points)
