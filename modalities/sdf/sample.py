"""Small shapes drawn from a seed: smooth blends of simple bodies, as meshes.

Bodies are given by their distances, blended by the polynomial smooth minimum (I. Quilez,
"Smooth minimum") or cut out of each other by its mirror image, and made meshes by marching cubes.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inrc.files import write_samples
from inrc_modalities.sdf.explore import decided
from inrc_modalities.sdf.kinds import Distance
from inrc_modalities.sdf.lattice import Lattice, unname
from inrc_modalities.sdf.mesh import Mesh, save
from inrc_modalities.sdf.surface import crossed, triangulate

CELLS = 56
"""Of the grid that a shape is made on: about 8000 triangles."""
_VERSION = 1  # of the shapes: raise it when they change, so that old samples are drawn anew

Array = NDArray[np.float64]
Body = Callable[[np.random.Generator, Array], Array]


def write(folder: Path, seed: int, count: int) -> list[Path]:
    """Write `count` PLYs, of which shape i depends on the seed and on i only."""
    paths = [folder / f"shape-{seed}-{i:04d}.ply" for i in range(count)]
    return write_samples(
        folder / f"shape-{seed}.json",
        paths,
        {"version": _VERSION, "cells": CELLS},
        lambda i, path: save(draw(np.random.default_rng((seed, i))), path),
    )


def draw(random: np.random.Generator) -> Mesh:
    """One shape, in units and at a place of its own, as files from the world have."""
    box = Lattice((-1.0, -1.0, -1.0), 2.0 / CELLS, (CELLS, CELLS, CELLS))
    nodes = unname(np.arange((CELLS + 1) ** 3), box.nodes)
    points = box.points(nodes)
    while True:
        distance = _distance(random, points)
        share = float((distance < 0).mean())
        if 0.01 < share < 0.6:
            break
    values = decided(box, Distance(1.0), nodes, distance, first=True)
    mesh = triangulate(crossed(np.arange(len(nodes)), values, box), box)
    size = 10.0 ** random.uniform(-1.0, 2.0)
    return Mesh((mesh.vertices + random.normal(0.0, 1.0, 3)) * size, mesh.faces)


def filled(random: np.random.Generator, side: int = 32) -> NDArray[np.bool_]:
    """Which voxels of a cube a shape fills: those whose centre is inside."""
    box = Lattice((-1.0, -1.0, -1.0), 2.0 / side, (side, side, side))
    points = box.points(unname(np.arange(side**3), box.counts) + 0.5)
    while True:
        full = _distance(random, points) < 0
        if 0.01 < full.mean() < 0.6:
            return full.reshape(box.counts)


def _distance(random: np.random.Generator, points: Array) -> Array:
    """Roughly the distance to a blend of three to nine bodies, some of them cut out."""
    total = _placed(random, points, 0.25, 0.55)
    for _ in range(random.integers(2, 9)):
        body = _placed(random, points, 0.08, 0.4)
        blend = random.uniform(0.01, 0.15)
        if random.random() < 0.25:
            total = -_smooth_minimum(-total, body, blend)
        else:
            total = _smooth_minimum(total, body, blend)
    return total


def _placed(random: np.random.Generator, points: Array, least: float, most: float) -> Array:
    """A body of random kind, size, stretch, turn and place, within the cube."""
    size = random.uniform(least, most)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    at = random.uniform(-0.9 + size, 0.9 - size, 3) * 0.8
    stretch = random.uniform(0.6, 1.0, 3)
    body = _BODIES[random.integers(len(_BODIES))]
    local = (points - at) @ turn / (size * stretch)
    return body(random, local) * size * stretch.min()


def _ball(random: np.random.Generator, p: Array) -> Array:
    return np.linalg.norm(p, axis=1) - 1.0


def _box(random: np.random.Generator, p: Array) -> Array:
    round_by = random.uniform(0.02, 0.3)
    q = np.abs(p) - (0.7 - round_by)
    outside = np.linalg.norm(np.maximum(q, 0.0), axis=1)
    return outside + np.minimum(q.max(1), 0.0) - round_by


def _rod(random: np.random.Generator, p: Array) -> Array:
    half, radius = 0.75, random.uniform(0.12, 0.3)
    along = np.clip(p[:, 2], -half, half)
    beside = p - along[:, None] * np.array([0.0, 0.0, 1.0])
    return np.linalg.norm(beside, axis=1) - radius


def _ring(random: np.random.Generator, p: Array) -> Array:
    radius = random.uniform(0.12, 0.3)
    around = np.hypot(p[:, 0], p[:, 1]) - (1.0 - radius)
    return np.hypot(around, p[:, 2]) - radius


def _can(random: np.random.Generator, p: Array) -> Array:
    q = np.stack([np.hypot(p[:, 0], p[:, 1]) - 0.65, np.abs(p[:, 2]) - 0.65], axis=1)
    return np.minimum(q.max(1), 0.0) + np.linalg.norm(np.maximum(q, 0.0), axis=1) - 0.05


_BODIES: tuple[Body, ...] = (_ball, _box, _rod, _ring, _can)


def _smooth_minimum(a: Array, b: Array, blend: float) -> Array:
    near = np.maximum(blend - np.abs(a - b), 0.0) / blend
    return np.minimum(a, b) - near * near * blend / 4.0
