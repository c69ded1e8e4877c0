"""The cells of the patches that a view of a grid needs, at any size and in any region."""

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
    """Cells `start` to `stop` along one axis of the result, which patch number `patch` decodes."""

    patch: int
    start: int
    stop: int


@dataclass(frozen=True)
class Axis:
    """One axis of a grid of `length` cells in patches of `patch`, sampled every `step` cells.

    Cell i of the result has its centre at (i + 1/2) * step in cells of the original. The view has
    the cells from `first` to `last` (half-open). Local coordinates of a patch go from -1 to 1, and
    are clipped to `limit` on both sides.
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
        """The patches that the view needs, in order, and the cells that each of them decodes."""
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
        """Local coordinates of every run, padded to the length of the longest run.

        The padding stays inside the patch, and `assemble` drops it. There is one row if the
        coordinates of all runs are the same.
        """
        over, unit = self.step.numerator, self.step.denominator * self.patch
        begins = [(2 * r.start + 1) * over - 2 * unit * r.patch for r in self.runs()]
        if len(set(begins)) == 1:
            begins = begins[:1]
        steps = 2 * over * torch.arange(self.longest, dtype=torch.float64)
        begin = torch.tensor(begins, dtype=torch.float64)[:, None]
        return ((begin + steps) / unit - 1.0).clamp(-self.limit, self.limit).float()

    def nearest(self) -> NDArray[np.int64]:
        """The cell of the original that contains the centre of each cell of the result."""
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
    """Lay out one axis.

    Args:
        name: of the axis, for messages.
        length: cells of the original.
        patch: cells of a patch.
        step: cells of the original for each cell of the result.
        region: half-open interval in cells of the original; None for all.
        what: name of a cell, for messages.
        limit: as in `Axis`.

    Raises:
        SignalError: a region without the centre of a cell, or with ends that are not finite.
    """
    step = min(step, Fraction(length))  # at least one cell, in the middle
    # the cells whose centres are inside
    size = math.ceil(length / step - Fraction(1, 2))
    low, high = (0, length) if region is None else region
    if not (math.isfinite(low) and math.isfinite(high)):
        raise SignalError(f"region {name}: {low} to {high} is not finite; give two numbers")
    first, last = (
        min(max(math.ceil(Fraction(edge) / step - Fraction(1, 2)), 0), size) for edge in (low, high)
    )
    if first >= last:
        raise SignalError(
            f"region {name}: no {what} between {float(low):g} and {float(high):g}; "
            f"give an interval within 0 and {length}"
        )
    return Axis(length, patch, step, first, last, limit)


def queries(axes: Sequence[Axis]) -> Float[Tensor, "#P M D"]:
    """Queries of the needed patches, row-major; one part if all patches share their queries."""
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
    """Numbers of the needed patches, row-major."""
    sizes = tuple(each.patches for each in axes)
    indices = product(*([run.patch for run in each.runs()] for each in axes))
    return tuple(int(np.ravel_multi_index(index, sizes)) for index in indices)


def assemble(
    features: Float[Tensor, "P M C"], axes: Sequence[Axis], block: Sequence[int] | None = None
) -> Float[Tensor, "*shape C"]:
    """Put features at `queries(axes)` together as a grid, with one copy.

    Args:
        features: of the needed patches.
        axes: of the view.
        block: cells of a patch of features along each axis; None for those of the longest runs.

    Raises:
        SignalError: features of another number or size.
    """
    runs = [each.runs() for each in axes]
    block = tuple(each.longest for each in axes) if block is None else tuple(block)
    expected = (math.prod(map(len, runs)), math.prod(block))
    if features.shape[:2] != expected:
        raise SignalError(f"features {tuple(features.shape)} do not fit the view, {expected}")
    canvas = features.new_empty(*(each.size for each in axes), features.shape[-1])
    for patch, own in zip(features.unflatten(1, block), product(*runs), strict=True):
        place = [slice(r.start - a.first, r.stop - a.first) for r, a in zip(own, axes, strict=True)]
        canvas[tuple(place)] = patch[tuple(slice(r.stop - r.start) for r in own)]
    return canvas
