"""A box of equal cells in the cube of a shape; cells and their corners are named by one number."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.sdf.place import Place

MAX_CELLS = 4096
"""Along an axis."""
CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], np.int64)


@dataclass(frozen=True)
class Lattice:
    """`counts` cells of side `step` from `low` on, in coordinates of the cube.

    `whole` is true where the box is the whole cube.
    """

    low: tuple[float, float, float]
    step: float
    counts: tuple[int, int, int]
    whole: bool = True

    @property
    def nodes(self) -> tuple[int, int, int]:
        """Corners of cells along every axis."""
        x, y, z = self.counts
        return x + 1, y + 1, z + 1

    def points(self, nodes: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
        """Coordinates N 3 of nodes N 3; half-numbers are centres of cells."""
        points: NDArray[np.float64] = np.array(self.low) + self.step * nodes
        return points

    def outer(self, nodes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether nodes N 3 are on the faces of the box."""
        on_face: NDArray[np.bool_] = ((nodes == 0) | (nodes == np.array(self.counts))).any(1)
        return on_face


def name(cells: NDArray[np.int64], counts: tuple[int, ...]) -> NDArray[np.int64]:
    """One number for each of cells (or nodes) N 3 of so many along every axis; row-major."""
    names: NDArray[np.int64] = (cells[:, 0] * counts[1] + cells[:, 1]) * counts[2] + cells[:, 2]
    return names


def unname(names: NDArray[np.int64], counts: tuple[int, ...]) -> NDArray[np.int64]:
    """The inverse of `name`."""
    rest, z = np.divmod(names, counts[2])
    x, y = np.divmod(rest, counts[1])
    return np.stack([x, y, z], axis=1)


def lattice(
    place: Place, resolution: int, scale: float, region: Mapping[str, tuple[float, float]]
) -> Lattice:
    """The cells of a view: `resolution` * `scale` along the cube, `region` in units of the file.

    A region is widened to whole cells.

    Raises:
        SignalError: a scale that gives too many or too few cells, or a region that holds no part of
            the cube.
    """
    count = round(min(resolution * scale, 2.0 * MAX_CELLS))
    if not 4 <= count <= MAX_CELLS:
        raise SignalError(
            f"scale {scale:g}: {count} cells along an axis; 4 to {MAX_CELLS} are possible"
        )
    step = 2.0 / count
    first, last = [0, 0, 0], [count, count, count]
    for axis, letter in enumerate("xyz"):
        if letter not in region:
            continue
        low, high = region[letter]
        if not low < high:
            raise SignalError(
                f"region {letter}: {low:g} to {high:g} is empty; give two increasing numbers"
            )
        ends = (np.array([low, high]) - place.middle[axis]) / place.unit
        cells = np.clip((ends + 1.0) / step, 0.0, count)
        first[axis], last[axis] = math.floor(cells[0]), math.ceil(cells[1])
        if first[axis] >= last[axis]:
            edges = place.outward(np.array([[-1.0] * 3, [1.0] * 3]))[:, axis]
            raise SignalError(
                f"region {letter}: nothing between {low:g} and {high:g}; the shape is within "
                f"{edges[0]:g} to {edges[1]:g}"
            )
    x, y, z = (-1.0 + step * cell for cell in first)
    a, b, c = (end - begin for begin, end in zip(first, last, strict=True))
    return Lattice((x, y, z), step, (a, b, c), whole=not region)
