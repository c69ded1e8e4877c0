"""Principal components of signals on one grid, the linear baseline.

In climate science these are empirical orthogonal functions, in coding theory the Karhunen-Loeve
transform: of all linear codes of this length the one with the smallest mean squared error on the
signals that it was found on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError

Floats = NDArray[np.float32]

MAX_COMPONENTS = 1024
"""Maximum number of components."""
MIN_VARIANCE = 1e-12
"""Minimum variance of a component relative to the first; below it there is only rounding."""
CHUNK = 4096
"""Rows or columns whose products are summed at a time."""


@dataclass(frozen=True)
class Components:
    """Mean, weights and orthonormal components of rows of D numbers, largest variance first.

    `scale` is the square root of the weights of the D errors, 0 if no row has a known value.
    """

    mean: Floats  # D
    scale: Floats  # D
    basis: Floats  # K D

    def project(self, rows: Floats, known: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Coefficients N K of rows N D; unknown values count as the mean."""
        away = (rows - self.mean) * self.scale
        if known is not None:
            away *= known
        coefficients: NDArray[np.float64] = (away @ self.basis.T).astype(np.float64)
        return coefficients

    def expand(self, coefficients: NDArray[np.float64]) -> Floats:
        """Rows N D of coefficients N K, or of fewer than K first coefficients."""
        away = coefficients.astype(np.float32) @ self.basis[: coefficients.shape[1]]
        with np.errstate(divide="ignore"):
            back = np.where(self.scale > 0, 1 / self.scale, 0).astype(np.float32)
        rows: Floats = self.mean + away * back
        return rows


def components(
    rows: Floats, count: int = MAX_COMPONENTS, weights: Floats | None = None
) -> Components:
    """Principal components of rows N D, at most `count` and at most N - 1.

    With weights (N D, or 1 D for all rows; 0 for unknown values), errors are weighted by the mean
    over rows: the components are those of the rows times its square root.

    Raises SignalError for fewer than two rows, and for equal rows.
    """
    if len(rows) < 2:
        raise SignalError(f"components: {len(rows)} training rows; use 2 or more")
    if weights is None:
        weights = np.ones((1, rows.shape[1]), np.float32)
    known = np.broadcast_to(weights > 0, rows.shape)
    many = known.sum(0)
    mean = np.where(known, rows, 0).sum(0, dtype=np.float64) / np.maximum(many, 1)
    weight = weights.mean(0, dtype=np.float64)
    weight /= weight[weight > 0].mean() if (weight > 0).any() else 1.0
    scale = np.sqrt(weight).astype(np.float32)
    away = np.where(known, rows - mean.astype(np.float32), 0).astype(np.float32) * scale
    basis = _basis(away, min(count, len(rows) - 1, rows.shape[1]))
    return Components(mean.astype(np.float32), scale, basis)


def _basis(away: Floats, count: int) -> Floats:
    few = len(away) <= away.shape[1]  # the smaller of the two Gram matrices
    gram = np.zeros((min(away.shape),) * 2)
    for at in range(0, max(away.shape), CHUNK):  # in float32 small variances drown in rounding
        part = (away[:, at : at + CHUNK] if few else away[at : at + CHUNK].T).astype(np.float64)
        gram += part @ part.T
    variance, vectors = np.linalg.eigh(gram)
    keep = np.argsort(variance)[::-1][:count]
    keep = keep[variance[keep] > MIN_VARIANCE * max(float(variance.max()), 0.0)]
    if not len(keep):
        raise SignalError("components: all training rows are equal; use others")
    basis = vectors[:, keep].T
    if few:
        basis = (basis / np.sqrt(variance[keep])[:, None]) @ away.astype(np.float64)
        basis /= np.linalg.norm(basis, axis=1, keepdims=True)
    return np.ascontiguousarray(basis, np.float32)
