"""Points of the cube at which shapes are sampled: the same for all files, where possible."""

import itertools

import numpy as np
import torch
from numpy.typing import NDArray

from inrc_modalities.sdf.mesh import Mesh

SCALES = (0.005, 0.02, 0.08)
"""Standard deviations of the distances of points near a surface, in half sides of the cube."""
TURNS = 48
"""Symmetries of the cube: 6 orders of the axes times 8 mirrorings."""


def rounded(count: int) -> int:
    """The number of points in space nearest above that the symmetries of the cube allow."""
    return -(-count // TURNS) * TURNS


def space(count: int, seed: int) -> NDArray[np.float64]:
    """Points N 3 spread evenly over [-1, 1]^3: the same for all files of a model.

    A scrambled Sobol sequence, folded into 1/48 of the cube and repeated by its symmetries, so that
    a turned or mirrored shape is sampled at the same points in another order (`turned`).
    """
    orbits = rounded(count) // TURNS
    if orbits == 0:
        return np.empty((0, 3))
    engine = torch.quasirandom.SobolEngine(3, scramble=True, seed=seed)
    corner = np.sort(engine.draw(orbits, dtype=torch.float64).numpy(), axis=1)  # orbits 3
    points = np.stack([corner[:, order] * sign for order, sign in _symmetries()], axis=1)
    return np.ascontiguousarray(points.reshape(-1, 3))


def turned(count: int, turn: int) -> NDArray[np.int64]:
    """Order of `space` in which a shape's features are those of the shape turned.

    Turn 0 changes nothing; features[turned(n, t)] are those of the mesh moved by symmetry t, one
    of TURNS.
    """
    symmetries = _symmetries()
    unit = np.array([1.0, 2.0, 3.0])
    images = [unit[order] * sign for order, sign in symmetries]
    order, sign = symmetries[turn]
    # x of the turned shape is x turned back, of the shape itself
    index = []
    for image in images:
        back = np.empty(3)
        back[order] = image * sign
        index.append(next(i for i, other in enumerate(images) if np.array_equal(other, back)))
    blocks = np.arange(0, rounded(count), TURNS)[:, None]
    return (blocks + np.array(index)).reshape(-1)


def near(mesh: Mesh, count: int, seed: int) -> NDArray[np.float64]:
    """Points N 3 near the surface of a mesh, at three scales, within [-1, 1]^3.

    Triangles are drawn by their areas. The random numbers are those of the seed, so that the same
    mesh always has the same points.
    """
    random = np.random.default_rng(seed)
    places = surface(mesh, random.random((count, 3)))[0]
    spread = np.resize(np.array(SCALES), count)[:, None]
    return np.clip(places + spread * random.standard_normal((count, 3)), -1.0, 1.0)


def surface(
    mesh: Mesh, numbers: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points N 3 on a mesh, even by area, and the unit normals there, from numbers in [0, 1)."""
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    areas = np.linalg.norm(normals, axis=1)
    ends = np.cumsum(areas)
    picked = np.searchsorted(ends, numbers[:, 0] * ends[-1], side="right").clip(max=len(ends) - 1)
    # Osada et al. 2002, eq. 1: even within a triangle
    root, along = np.sqrt(numbers[:, 1:2]), numbers[:, 2:3]
    points = (1 - root) * a[picked] + root * (1 - along) * b[picked] + root * along * c[picked]
    return points, normals[picked] / np.maximum(areas[picked, None], 1e-300)


def _symmetries() -> list[tuple[list[int], NDArray[np.float64]]]:
    """Orders of the axes and signs; the first changes nothing."""
    orders = [list(order) for order in itertools.permutations(range(3))]
    signs = [np.array(sign) for sign in itertools.product((1.0, -1.0), repeat=3)]
    return [(order, sign) for order in orders for sign in signs]
