"""Latitudes and longitudes in degrees: unit vectors, areas, neighbours."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor


def vectors(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> Float[Tensor, "M 3"]:
    """Unit vectors (cos φ cos λ, cos φ sin λ, sin φ) of a grid, latitude by latitude."""
    phi, lam = np.deg2rad(lat)[:, None], np.deg2rad(lon)[None]
    full = (len(lat), len(lon))
    points = np.empty((*full, 3), np.float32)
    points[..., 0] = np.cos(phi) * np.cos(lam)
    points[..., 1] = np.cos(phi) * np.sin(lam)
    points[..., 2] = np.sin(phi)
    return torch.from_numpy(points.reshape(-1, 3))


def areas(lat: NDArray[np.float64], columns: int) -> Float[Tensor, " M"]:
    """Area of every cell of a grid, mean 1.

    Edges lie midway between latitudes, and a cell's area is the difference of their sines: on an
    even grid that is proportional to cos φ, but a row at a pole keeps its cap and not 0.
    """
    middle = (lat[1:] + lat[:-1]) / 2
    first, last = 2 * lat[0] - middle[0], 2 * lat[-1] - middle[-1]
    edges = np.clip(np.concatenate([[first], middle, [last]]), -90.0, 90.0)
    area = np.abs(np.diff(np.sin(np.deg2rad(edges))))
    area = area / area.mean()
    return torch.from_numpy(np.repeat(area, columns)).float()


def weights(
    lat: NDArray[np.float64], columns: int, unknown: NDArray[np.bool_], by_area: bool
) -> Float[Tensor, "#P M"] | None:
    """Area, or 1, of every point, and 0 where all is missing (P M); None if all are 1."""
    if not (by_area or unknown.any()):
        return None
    shared = unknown[:1] if (unknown == unknown[:1]).all() else unknown
    known = torch.from_numpy(~shared).float()
    return known * areas(lat, columns) if by_area else known


def wraps(lon: NDArray[np.float64]) -> bool:
    """Longitudes go once around: from the last to the first is one more step."""
    span = abs(lon[-1] - lon[0])
    step = span / (len(lon) - 1)
    return bool(abs(span + step - 360.0) < step / 2)


def nearest(
    wanted: NDArray[np.float64], given: NDArray[np.float64], period: float | None = None
) -> NDArray[np.intp]:
    """Index of the given coordinate that is nearest to each wanted one."""
    apart = np.abs(wanted[:, None] - given[None])
    if period is not None:
        apart = apart % period
        apart = np.minimum(apart, period - apart)
    return np.asarray(apart.argmin(axis=1))
