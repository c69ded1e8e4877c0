"""Shaded pictures of meshes: a z-buffer for triangles of a few pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inrc_modalities.sdf.mesh import Mesh

SIDE = 320
SAMPLES = 2  # per pixel and axis, averaged: soft edges
MAX_WIDTH = 8  # samples; wider triangles are cut into four first
MAX_TRIANGLES = 4_000_000  # with more, wide triangles are drawn coarsely
_LIGHT = np.array([0.35, 0.45, 0.82])  # right, up, towards the eye
_COLOUR = np.array([0.66, 0.73, 0.85])


@dataclass(frozen=True)
class Eye:
    """A camera without perspective, along -z after turning; `reach` is half the picture."""

    turn: NDArray[np.float64]
    middle: NDArray[np.float64]
    reach: float

    @classmethod
    def on(cls, mesh: Mesh, azimuth: float = 0.6, height: float = 0.35) -> "Eye":
        """Look at a mesh from the front (z), a little from the right and from above (radians)."""
        c, s = np.cos(-azimuth), np.sin(-azimuth)
        about = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        c, s = np.cos(height), np.sin(height)
        over = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        low, high = mesh.bounds
        return cls(over @ about, (low + high) / 2, 0.52 * mesh.diagonal)


def shade(mesh: Mesh, eye: Eye, side: int = SIDE) -> NDArray[np.float64]:
    """A picture `side` `side` 3 in [0, 1] on white; both sides of a face look alike."""
    width = side * SAMPLES
    seen = (mesh.vertices - eye.middle) @ eye.turn.T / eye.reach
    corners = seen[mesh.faces]  # N 3 3
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    normals *= np.where(normals[:, 2:] < 0, -1.0, 1.0)
    bright = 0.25 + 0.75 * np.clip(normals @ _LIGHT, 0.0, 1.0)
    flat = corners * np.array([1.0, -1.0, 1.0]) * (width / 2) + np.array([width / 2, width / 2, 0])
    flat, bright = _cut(flat, bright)
    depth = np.full(width * width, -np.inf)
    light = np.zeros(width * width)
    first = np.ceil(flat[:, :, :2].min(1) - 0.5).astype(np.int64)
    last = np.floor(flat[:, :, :2].max(1) - 0.5).astype(np.int64)
    size = (last - first).max(1) + 1
    for reach in range(1, int(size.max(initial=0)) + 1):
        some = size == reach
        if reach > 4 * MAX_WIDTH or not some.any():
            continue
        for y in range(reach):
            for x in range(reach):
                _dot(flat[some], bright[some], first[some] + [x, y], depth, light, width)
    drawn = np.isfinite(depth)[:, None]
    picture = np.where(drawn, light[:, None] * _COLOUR, 1.0).reshape(
        side, SAMPLES, side, SAMPLES, 3
    )
    return np.asarray(picture.mean(axis=(1, 3)))


def _cut(
    flat: NDArray[np.float64], bright: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Triangles cut into four until they are small."""
    while len(flat) < MAX_TRIANGLES:
        wide = (flat[:, :, :2].max(1) - flat[:, :, :2].min(1)).max(1) > MAX_WIDTH
        if not wide.any():
            break
        a, b, c = flat[wide].transpose(1, 0, 2)
        d, e, f = (a + b) / 2, (b + c) / 2, (c + a) / 2
        pieces = [np.stack(t, axis=1) for t in ((a, d, f), (d, b, e), (f, e, c), (d, e, f))]
        flat = np.concatenate([flat[~wide], *pieces])
        bright = np.concatenate([bright[~wide], *[bright[wide]] * 4])
    return flat, bright


def _dot(
    flat: NDArray[np.float64],
    bright: NDArray[np.float64],
    at: NDArray[np.int64],
    depth: NDArray[np.float64],
    light: NDArray[np.float64],
    width: int,
) -> None:
    """Draw one sample of every triangle, where it is inside and nothing is nearer."""
    a, b, c = flat.transpose(1, 0, 2)
    p = at + 0.5
    u, v, w = (_side(one, two, p) for one, two in ((b, c), (c, a), (a, b)))
    area = u + v + w
    hit = (area != 0) & (u * area >= 0) & (v * area >= 0) & (w * area >= 0)
    hit &= ((at >= 0) & (at < width)).all(1)
    u, v, w, area = u[hit], v[hit], w[hit], area[hit]
    z = (u * a[hit, 2] + v * b[hit, 2] + w * c[hit, 2]) / area
    pixel = at[hit, 1] * width + at[hit, 0]
    order = np.argsort(z)  # of several at a pixel, the nearest is written last
    z, pixel, shown = z[order], pixel[order], bright[hit][order]
    nearer = z > depth[pixel]
    depth[pixel[nearer]] = z[nearer]
    light[pixel[nearer]] = shown[nearer]


def _side(
    a: NDArray[np.float64], b: NDArray[np.float64], p: NDArray[np.float64]
) -> NDArray[np.float64]:
    (u, v), (x, y) = (b - a)[:, :2].T, (p - a[:, :2]).T
    area: NDArray[np.float64] = u * y - v * x
    return area
