"""Search for a surface in space, which evaluates a field only where the surface can be."""

import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.sdf.kinds import Kind
from inrc_modalities.sdf.lattice import CORNERS, Lattice, name, unname

MAX_POINTS = 6 << 20
"""Cells or corners that are examined together: with their values, 1 GiB."""
CHUNK = 1 << 20
"""Points of one Ask, at most."""
MIN_BLOCKS = 16
"""Along the longest side, which are always examined."""
MIN_BLOCKS_OCCUPANCY = 32
"""The same where values do not tell a distance, so that thin parts do not fall between them."""
_FACES = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.int64)


@dataclass(frozen=True)
class Shell:
    """Cells N 3 that a surface crosses, and the values at corners of cells, sorted by name."""

    cells: NDArray[np.int64]
    names: NDArray[np.int64]
    values: NDArray[np.float64]

    def corners(self, cells: NDArray[np.int64], lattice: Lattice) -> NDArray[np.float64]:
        """Values at the eight corners of cells N 3, in the order of CORNERS."""
        lowest = name(cells, lattice.nodes)
        offsets = _offsets(lattice)
        return np.stack(
            [self.values[np.searchsorted(self.names, lowest + c)] for c in offsets], axis=1
        )


Asking = Generator[NDArray[np.float64], NDArray[np.float64], Shell]
"""Yields points N 3 of the cube, is sent their values N, returns the cells with a surface."""


def explore(lattice: Lattice, kind: Kind) -> Asking:
    """Halve blocks of cells from coarse to fine, and keep those that the surface can be in.

    A block is kept if the value at its centre is within what a surface inside it allows
    (`Kind.reach`), or if a neighbour's has the other sign. Corners of the finest cells are asked;
    where the surface leaves the cells through a face, the cell beyond is added until it leaves
    nowhere, so that it is closed. Corners on the faces of the box count as outside.

    Raises:
        SignalError: a surface nearly everywhere, which is too much to ask; or none in a region.
    """
    block = _first(lattice, kind)
    blocks = unname(np.arange(math.prod(_counts(lattice, block))), _counts(lattice, block))
    while block > 1:
        middle = np.minimum(blocks * block + block / 2.0, np.array(lattice.counts))
        values = yield from _ask(lattice, middle)
        kept = _kept(blocks, values, _counts(lattice, block), kind, lattice.step * block)
        block //= 2
        _bounded(8 * int(kept.sum()))
        children = (blocks[kept][:, None] * 2 + CORNERS).reshape(-1, 3)
        blocks = children[(children < np.array(_counts(lattice, block))).all(1)]
    return (yield from _follow(lattice, kind, name(blocks, lattice.counts)))


def _ask(
    lattice: Lattice, nodes: NDArray[np.float64] | NDArray[np.int64]
) -> Generator[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Values at nodes N 3, so many at a time."""
    values = np.empty(len(nodes))
    for start in range(0, len(nodes), CHUNK):
        part = slice(start, start + CHUNK)
        values[part] = yield lattice.points(nodes[part])
    return values


def _first(lattice: Lattice, kind: Kind) -> int:
    """Side in cells of the blocks to begin with, a power of two."""
    block = 1
    longest = max(lattice.counts)
    fewest = MIN_BLOCKS if kind.reach(0.25 * lattice.step) > 0.0 else MIN_BLOCKS_OCCUPANCY
    while longest / (2 * block) >= fewest and math.isfinite(
        kind.reach(math.sqrt(3.0) * block * lattice.step)
    ):
        block *= 2
    return block


def _counts(lattice: Lattice, block: int) -> tuple[int, int, int]:
    x, y, z = (-(-count // block) for count in lattice.counts)
    return x, y, z


def _kept(
    blocks: NDArray[np.int64],
    values: NDArray[np.float64],
    counts: tuple[int, ...],
    kind: Kind,
    side: float,
) -> NDArray[np.bool_]:
    """Which blocks can hold a surface; the one of the lowest value is always among them."""
    kept: NDArray[np.bool_] = np.abs(values) <= kind.reach(math.sqrt(3.0) / 2.0 * side)
    kept[np.argmin(values)] = True
    names = name(blocks, counts)
    order = np.argsort(names)
    for face in _FACES:
        beside = blocks + face
        there = ((beside >= 0) & (beside < np.array(counts))).all(1)
        at = np.searchsorted(names, name(beside, counts), sorter=order).clip(max=len(names) - 1)
        at = order[at]
        there &= names[at] == name(beside, counts)
        kept |= there & ((values < 0) != (values[at] < 0))
    return kept


def _follow(lattice: Lattice, kind: Kind, cells: NDArray[np.int64]) -> Asking:
    """Ask at the corners of cells (by name), and of those beyond, until the surface is closed."""
    seen = np.sort(cells)
    names = np.empty(0, np.int64)
    values = np.empty(0)
    crossed = []
    while len(cells):
        lowest = name(unname(cells, lattice.counts), lattice.nodes)
        wanted = np.unique(np.concatenate([lowest + c for c in _offsets(lattice)]))
        wanted = wanted[~np.isin(wanted, names, assume_unique=True)]
        if len(wanted):
            _bounded(len(names) + len(wanted))
            nodes = unname(wanted, lattice.nodes)
            answers = yield from _ask(lattice, nodes)
            more = decided(lattice, kind, nodes, answers, first=not len(names))
            names, values = np.concatenate([names, wanted]), np.concatenate([values, more])
            order = np.argsort(names)
            names, values = names[order], values[order]
        inside = np.empty((len(cells), 8), np.bool_)
        for corner, offset in enumerate(_offsets(lattice)):
            inside[:, corner] = values[np.searchsorted(names, lowest + offset)] < 0
        mixed = inside.any(1) & ~inside.all(1)
        crossed.append(unname(cells[mixed], lattice.counts))
        beyond = name(_beyond(crossed[-1], inside[mixed], lattice), lattice.counts)
        cells = np.setdiff1d(beyond, seen)
        seen = np.union1d(seen, cells)
    return Shell(np.concatenate(crossed), names, values)


def _offsets(lattice: Lattice) -> NDArray[np.int64]:
    """What the names of a cell's corners are more than that of its lowest one."""
    return name(CORNERS, lattice.nodes)


def _beyond(
    cells: NDArray[np.int64], inside: NDArray[np.bool_], lattice: Lattice
) -> NDArray[np.int64]:
    """Cells on the other side of faces that a surface crosses."""
    neighbours = []
    for face in _FACES:
        axis = int(np.abs(face).argmax())
        corners = CORNERS[:, axis] == (1 if face[axis] > 0 else 0)
        through = inside[:, corners].any(1) & ~inside[:, corners].all(1)
        neighbours.append(cells[through] + face)
    beyond = np.concatenate(neighbours)
    return beyond[((beyond >= 0) & (beyond < np.array(lattice.counts))).all(1)]


def decided(
    lattice: Lattice,
    kind: Kind,
    nodes: NDArray[np.int64],
    answers: NDArray[np.float64],
    first: bool,
) -> NDArray[np.float64]:
    """Values with a sign, none so near 0 that a vertex falls together with a corner.

    Corners on the faces of the box are outside. If `first` answers are outside everywhere, what is
    nearest to inside becomes a speck: a poor codec gives a poor shape and not an empty file.

    Raises:
        SignalError: nothing is inside a region.
    """
    change = kind.change(lattice.step)
    least = change * 2.0**-12  # a vertex is that share of a cell away from a corner: not seen
    values = np.nan_to_num(answers, nan=change)
    signed = np.where(values < 0, np.minimum(values, -least), np.maximum(values, least))
    outer = lattice.outer(nodes)
    signed = np.where(outer, np.maximum(signed, change / 2.0), signed)
    if first and not (signed < 0).any():
        inner = np.flatnonzero(~outer)
        if not lattice.whole or not len(inner):
            raise SignalError("region: no surface in it")
        signed[inner[np.argmin(values[inner])]] = -change
    return signed


def _bounded(count: int) -> None:
    if count > MAX_POINTS:
        raise SignalError(
            f"sdf: {count} points at once, more than {MAX_POINTS}: the field has a surface "
            "nearly everywhere, or the resolution is too fine; ask for a smaller scale or a region"
        )
