"""Which cells of which patches a decoder asks, at any size and in any region of a grid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from inrc.errors import SignalError

Edge = float | Fraction
"""An end of a region, in cells of the original."""


@dataclass(frozen=True)
class Run:
    """Cells `start` to `stop` of one axis of the result: what patch number `patch` answers."""

    patch: int
    start: int
    stop: int


@dataclass(frozen=True)
class Axis:
    """One axis of a grid of `length` cells in patches of `patch`, seen in steps of `step` cells.

    Cell i of the result has its centre at (i + 1/2) * step in cells of the original. Only those
    from `first` to `last` (half-open) are asked, none further than `limit` from the middle of its
    patch, whose ends are at -1 and 1.
    """

    length: int
    patch: int
    step: Fraction
    first: int
    last: int
    limit: float = 1.0

    @property
    def size(self) -> int:
        """Cells of the result."""
        return self.last - self.first

    @property
    def patches(self) -> int:
        """Patches of the original along this axis."""
        return -(-self.length // self.patch)

    @property
    def longest(self) -> int:
        """Cells of the longest run."""
        return max(run.stop - run.start for run in self.runs())

    def runs(self) -> list[Run]:
        """The patches that answer, in order, and what each of them answers."""
        # whole numbers only: a rounding error would put a cell on a border into the wrong patch
        over, unit = self.step.numerator, 2 * self.step.denominator * self.patch
        runs = []
        start = self.first
        while start < self.last:
            patch = (2 * start + 1) * over // unit
            # first i whose centre lies in the next patch
            stop = -(-((patch + 1) * unit - over) // (2 * over))
            runs.append(Run(patch, start, min(stop, self.last)))
            start = stop
        return runs

    def local(self) -> Float[Tensor, "#n m"]:
        """Coordinates of every run in its own patch, all as many as the longest has.

        What a shorter run has too many stays inside the patch; `assemble` drops it. One row if all
        runs have the same.
        """
        over, unit = self.step.numerator, self.step.denominator * self.patch
        begins = [(2 * r.start + 1) * over - 2 * unit * r.patch for r in self.runs()]
        if len(set(begins)) == 1:
            begins = begins[:1]
        steps = 2 * over * torch.arange(self.longest, dtype=torch.float64)
        begin = torch.tensor(begins, dtype=torch.float64)[:, None]
        return ((begin + steps) / unit - 1.0).clamp(-self.limit, self.limit).float()

    def nearest(self) -> NDArray[np.int64]:
        """The cell of the original in which the centre of each cell of the result lies."""
        over, under = self.step.numerator, 2 * self.step.denominator
        return (2 * np.arange(self.first, self.last) + 1) * over // under


def axis(
    name: str,
    length: int,
    patch: int,
    step: Fraction,
    region: tuple[Edge, Edge] | None = None,
    what: str = "cell",
    limit: float = 1.0,
) -> Axis:
    """Lay out one axis; `region` is half-open, in cells of the original, which are called `what`.

    Raises SignalError for a region in which none has its centre, or whose ends are not finite.
    """
    step = min(step, Fraction(length))  # one cell at least, in the middle
    # as many as have their centre inside
    size = math.ceil(length / step - Fraction(1, 2))
    low, high = (0, length) if region is None else region
    if not (math.isfinite(low) and math.isfinite(high)):
        raise SignalError(f"region {name}: {low} to {high} are not finite numbers")
    first, last = (
        min(max(math.ceil(Fraction(edge) / step - Fraction(1, 2)), 0), size) for edge in (low, high)
    )
    if first >= last:
        raise SignalError(
            f"region {name}: no {what} between {float(low):g} and {float(high):g}; "
            f"there are 0 to {length}"
        )
    return Axis(length, patch, step, first, last, limit)


def queries(axes: Sequence[Axis]) -> Float[Tensor, "#P M D"]:
    """Where the patches are asked, row-major; one shared grid if all are asked alike."""
    local = [each.local() for each in axes]
    if any(len(rows) > 1 for rows in local):
        local = [rows.expand(len(a.runs()), -1) for rows, a in zip(local, axes, strict=True)]
    many = [rows.shape[0] for rows in local]
    cells = [rows.shape[1] for rows in local]
    out = torch.empty(*many, *cells, len(axes))
    for k, rows in enumerate(local):
        shape = [1] * (2 * len(axes))
        shape[k], shape[len(axes) + k] = rows.shape
        out[..., k] = rows.reshape(shape)
    return out.reshape(math.prod(many), math.prod(cells), len(axes))


def parts(axes: Sequence[Axis]) -> tuple[int, ...]:
    """Numbers of the patches that are asked, row-major."""
    sizes = tuple(each.patches for each in axes)
    found = product(*([run.patch for run in each.runs()] for each in axes))
    return tuple(int(np.ravel_multi_index(place, sizes)) for place in found)


def assemble(
    features: Float[Tensor, "P M C"], axes: Sequence[Axis], block: Sequence[int] | None = None
) -> Float[Tensor, "*shape C"]:
    """The grid that the answers at `queries(axes)` make; one copy, and nothing else is large.

    `block` are the cells of an answer along each axis, where they are not those of the longest
    runs.

    Raises SignalError for answers of another number or size.
    """
    runs = [each.runs() for each in axes]
    block = tuple(each.longest for each in axes) if block is None else tuple(block)
    expected = (math.prod(map(len, runs)), math.prod(block))
    if features.shape[:2] != expected:
        raise SignalError(f"{tuple(features.shape)} answers are not {expected}, those of the view")
    canvas = features.new_empty(*(each.size for each in axes), features.shape[-1])
    for answer, own in zip(features.unflatten(1, block), product(*runs), strict=True):
        place = [slice(r.start - a.first, r.stop - a.first) for r, a in zip(own, axes, strict=True)]
        canvas[tuple(place)] = answer[tuple(slice(r.stop - r.start) for r in own)]
    return canvas
