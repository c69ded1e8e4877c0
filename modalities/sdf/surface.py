"""Marching cubes on the cells that a surface crosses, block by block."""

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from inrc_modalities.sdf.explore import Shell
from inrc_modalities.sdf.lattice import CORNERS, Lattice
from inrc_modalities.sdf.mesh import Mesh

BLOCK = 32
"""Cells along a side of a block: 140 kB of values."""


def triangulate(shell: Shell, lattice: Lattice) -> Mesh:
    """The surface between corners inside and outside, in coordinates of the cube.

    Marching cubes of Lewiner et al. 2003, whose decisions on a face depend on the face alone: what
    it makes of two blocks fits together. A vertex on a face is computed from the same two numbers
    in both, so equal vertices are one. Faces look outward.
    """
    home = shell.cells // BLOCK
    homes, index = np.unique(home, axis=0, return_inverse=True)
    order = np.argsort(index.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(index.reshape(-1), minlength=len(homes)))
    vertices, faces, start, known = [], [], 0, 0
    for corner, end in zip(homes * BLOCK, ends, strict=True):
        cells = shell.cells[order[start:end]]
        start = end
        points, triangles = _block(cells - corner, shell.corners(cells, lattice))
        vertices.append(points + corner)
        faces.append(triangles + known)
        known += len(points)
    merged, same = np.unique(np.concatenate(vertices), axis=0, return_inverse=True)
    joined = same.reshape(-1)[np.concatenate(faces)]
    return Mesh(lattice.points(merged), joined)


def _block(
    cells: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Vertices, in cells, and faces of cells N 3 of one block with their corners' values N 8."""
    grid = np.ones((BLOCK + 1,) * 3, np.float32)
    mask = np.zeros((BLOCK + 1,) * 3, np.bool_)
    x, y, z = (cells[:, None] + CORNERS).reshape(-1, 3).T
    grid[x, y, z] = values.reshape(-1)
    x, y, z = (cells + 1).T  # skimage names a cell by its far corner in masks
    mask[x, y, z] = True
    points, faces, _, _ = marching_cubes(grid, 0.0, mask=mask)
    return points.astype(np.float64), faces.astype(np.int64)


def crossed(names: NDArray[np.int64], values: NDArray[np.float64], lattice: Lattice) -> Shell:
    """The cells that a surface crosses where all corners of a lattice are known."""
    inside = (values < 0).reshape(lattice.nodes)
    x, y, z = lattice.counts
    corners = [inside[i : i + x, j : j + y, k : k + z] for i, j, k in CORNERS]
    mixed = np.logical_or.reduce(corners) & ~np.logical_and.reduce(corners)
    return Shell(np.argwhere(mixed), names, values)
