"""Surfaces: polygons of any number of corners as files state them, and triangles."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError

MAX_CONCAVE = 1024
"""Corners of a concave polygon, at most: cutting it into triangles takes their square in time."""


@dataclass(frozen=True)
class Mesh:
    """Vertices V 3 (float64, finite) and triangles F 3 (int64, within range)."""

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]

    @property
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest corner of the box around it."""
        return self.vertices.min(0), self.vertices.max(0)

    @property
    def diagonal(self) -> float:
        """Length of the diagonal of that box."""
        low, high = self.bounds
        return float(np.linalg.norm(high - low))

    @property
    def volume(self) -> float:
        """Signed volume, positive if the faces look outward (divergence theorem)."""
        corners = (self.vertices - self.vertices.mean(0))[self.faces]
        return float(np.linalg.det(corners).sum() / 6.0)


@dataclass(frozen=True)
class Polygons:
    """What a mesh file holds.

    Args:
        vertices: places V 3.
        index: vertices of all polygons, one after the other, counted from 0.
        counts: corners of every polygon.
        losses: what the file states beside, in short phrases ("vertex colours").
    """

    vertices: NDArray[np.float64]
    index: NDArray[np.int64]
    counts: NDArray[np.int64]
    losses: tuple[str, ...] = ()

    def triangles(self) -> NDArray[np.int64]:
        """The same surface as triangles F 3; polygons of fewer than three corners have none.

        Raises:
            SignalError: a vertex that does not exist, or a concave polygon of too many corners.
        """
        if self.index.size and not 0 <= self.index.min() <= self.index.max() < len(self.vertices):
            raise SignalError(
                f"a face names a vertex that is not among its {len(self.vertices)}; it is damaged"
            )
        starts = np.cumsum(self.counts) - self.counts
        pieces = [np.empty((0, 3), np.int64)]
        for count in np.unique(self.counts[self.counts > 2]).tolist():
            rows = starts[self.counts == count]
            pieces.append(self._cut(self.index[rows[:, None] + np.arange(count)]))
        return np.concatenate(pieces)

    def _cut(self, corners: NDArray[np.int64]) -> NDArray[np.int64]:
        """Triangles of polygons N K: fans around the first corner, ears where a fan would fold."""
        count = corners.shape[1]
        fans = np.stack(
            [np.broadcast_to(corners[:, :1], (len(corners), count - 2)), corners[:, 1:-1],
             corners[:, 2:]], axis=-1,
        )  # fmt: skip
        if count == 3:
            return fans.reshape(-1, 3)
        places = self.vertices[fans]  # N K-2 3 3
        across = np.cross(places[:, :, 1] - places[:, :, 0], places[:, :, 2] - places[:, :, 0])
        # the sum of a fan's normals is that of the polygon (Newell)
        folded = ((across * across.sum(1, keepdims=True)).sum(-1) < 0).any(1)
        ears = [self._ears(polygon) for polygon in corners[folded]]
        return np.concatenate([fans[~folded].reshape(-1, 3), *ears])

    def _ears(self, polygon: NDArray[np.int64]) -> NDArray[np.int64]:
        """Triangles of a concave polygon, by clipping ears (G. H. Meisters 1975)."""
        if len(polygon) > MAX_CONCAVE:
            raise SignalError(
                f"a concave face of {len(polygon)} corners; cut faces of more than {MAX_CONCAVE} "
                "into triangles first"
            )
        flat = _flattened(self.vertices[polygon])
        left = np.arange(len(polygon))
        triangles = []
        while len(left) > 3:
            before, after = flat[np.roll(left, 1)], flat[np.roll(left, -1)]
            turn = _area(before, flat[left], after)
            reflex = flat[left[turn <= 0]]
            ear = 0  # of a polygon that crosses itself, whichever corner comes first
            for k in np.flatnonzero(turn > 0).tolist():
                if not _within(reflex, before[k], flat[left[k]], after[k]).any():
                    ear = k
                    break
            triangles.append([left[ear - 1], left[ear], left[(ear + 1) % len(left)]])
            left = np.delete(left, ear)
        return polygon[np.array([*triangles, left])]


def _flattened(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners N 3 of a polygon in its own plane, N 2, counterclockwise."""
    spokes = places - places[0]
    normal = np.cross(spokes[1:-1], spokes[2:]).sum(0)
    axis = int(np.abs(normal).argmax())
    plane = np.delete(places, axis, axis=1)
    # without y, x and z make a left-handed pair
    return plane if (normal[axis] > 0) != (axis == 1) else plane[:, ::-1]


def _area(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Twice the signed area of triangles N 2."""
    u, v = b - a, c - a
    area: NDArray[np.float64] = u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]
    return area


def _within(
    points: NDArray[np.float64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    c: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Which points N 2 lie in a triangle or on its edges, and are not its corners."""
    inside = np.ones(len(points), np.bool_)
    for one, two in ((a, b), (b, c), (c, a)):
        inside &= (_area(one, two, points) >= 0) & (points != one).any(1)
    return inside
