"""Which frames and pixels of which patches a decoder asks, at any size, rate and region."""

import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

from inrc.errors import SignalError

FINEST = 1 << 20
"""Largest numerator and denominator of a step: products of integers below stay exact in 64 bits."""


@dataclass(frozen=True)
class Run:
    """Cells `start` to `stop` of one axis of the result: what patch number `patch` answers."""

    patch: int
    start: int
    stop: int


@dataclass(frozen=True)
class Axis:
    """One axis of a clip of `length` cells in patches of `patch`, seen in steps of `step` cells.

    Cell i of the result has its centre at (i + 1/2) * step in cells of the original. Only those
    from `first` to `last` (half-open) are asked.
    """

    length: int
    patch: int
    step: Fraction
    first: int
    last: int

    @property
    def size(self) -> int:
        """Cells of the result."""
        return self.last - self.first

    @property
    def patches(self) -> int:
        """Patches of the original along this axis."""
        return -(-self.length // self.patch)

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
        """Coordinates in [-1, 1] of every run in its own patch, all as many as the longest has.

        What a shorter run has too many stays inside the patch; `join` drops it. One row if all
        runs have the same.
        """
        runs = self.runs()
        over, unit = self.step.numerator, self.step.denominator * self.patch
        begins = [(2 * r.start + 1) * over - 2 * unit * r.patch for r in runs]
        if len(set(begins)) == 1:
            begins = begins[:1]
        steps = 2 * over * torch.arange(longest(runs), dtype=torch.float64)
        begin = torch.tensor(begins, dtype=torch.float64)[:, None]
        return ((begin + steps) / unit - 1.0).clamp(max=1.0).float()


Axes = tuple[Axis, Axis, Axis]
"""t, y and x."""


def longest(runs: list[Run]) -> int:
    """Cells of the longest run."""
    return max(run.stop - run.start for run in runs)


def axis(
    name: str, length: int, patch: int, step: Fraction, region: tuple[Fraction, Fraction] | None
) -> Axis:
    """Lay out one axis; `region` is half-open, in cells of the original.

    Raises:
        SignalError: a step of numbers too large, or a region in which no cell has its centre.
    """
    if max(step.numerator, step.denominator) > FINEST:
        raise SignalError(f"axis {name}: a step of {step} is finer than can be told apart")
    step = min(step, Fraction(length))  # one cell at least, in the middle
    # as many as have their centre inside
    size = math.ceil(length / step - Fraction(1, 2))
    if region is None:
        return Axis(length, patch, step, 0, size)
    first, last = (min(max(math.ceil(edge / step - Fraction(1, 2)), 0), size) for edge in region)
    if first >= last:
        raise SignalError(
            f"region {name}: nothing between {float(region[0]):g} and {float(region[1]):g} "
            f"(in frames or pixels); the clip has 0 to {length}"
        )
    return Axis(length, patch, step, first, last)


def queries(axes: Axes) -> Float[Tensor, "#P M 3"]:
    """Where the patches are asked, row-major; one shared grid if all are asked alike."""
    local = [each.local() for each in axes]
    if any(rows.shape[0] > 1 for rows in local):
        local = [rows.expand(len(each.runs()), -1) for each, rows in zip(axes, local, strict=True)]
    full = [rows.shape[0] for rows in local] + [rows.shape[1] for rows in local]
    spread = []
    for place, rows in enumerate(local):
        shape = [1] * 6
        shape[place], shape[place + 3] = rows.shape
        spread.append(rows.reshape(shape).expand(full))
    return torch.stack(spread, dim=-1).flatten(3, 5).flatten(0, 2)


def parts(axes: Axes) -> tuple[int, ...]:
    """Numbers of the patches that are asked, row-major."""
    t, y, x = axes
    return tuple(
        (a.patch * y.patches + b.patch) * x.patches + c.patch
        for a in t.runs()
        for b in y.runs()
        for c in x.runs()
    )


def join(
    features: Float[Tensor, "P M C"], axes: Axes, block: tuple[int, int, int]
) -> Float[Tensor, "T H W C"]:
    """The clip that answers in blocks of this size make; one copy, and nothing else is large."""
    runs = [each.runs() for each in axes]
    if features.shape[:2] != (math.prod(map(len, runs)), math.prod(block)):
        raise SignalError(
            f"{tuple(features.shape)} answers are not {[len(run) for run in runs]} patches "
            f"of {block} cells"
        )
    t, y, x = axes
    canvas = features.new_empty(t.size, y.size, x.size, features.shape[-1])
    answers = iter(features.unflatten(1, block))
    for a in runs[0]:
        for b in runs[1]:
            band = canvas[
                a.start - t.first : a.stop - t.first, b.start - y.first : b.stop - y.first
            ]
            for c in runs[2]:
                room = band[:, :, c.start - x.first : c.stop - x.first]
                room.copy_(next(answers)[tuple(slice(n) for n in room.shape[:3])])
    return canvas
