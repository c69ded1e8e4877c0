"""Which pixels of which patches a decoder asks, for any size and any region of an image."""

import math
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from inrc.errors import SignalError


@dataclass(frozen=True)
class Run:
    """Pixels `start` to `stop` of one axis of the result: what patch number `patch` answers."""

    patch: int
    start: int
    stop: int


@dataclass(frozen=True)
class Axis:
    """One axis of an image of `length` pixels in patches of `patch`, shown as `size` pixels.

    Pixel i of the result has its centre at (i + 0.5) * length / size in pixels of the original.
    Only those from `first` to `last` (half-open) are asked.
    """

    length: int
    patch: int
    size: int
    first: int
    last: int

    @property
    def patches(self) -> int:
        """Patches of the original along this axis."""
        return -(-self.length // self.patch)

    def runs(self) -> list[Run]:
        """The patches that answer, in order, and what each of them answers."""
        # whole numbers only: a rounding error would put a pixel on a border into the wrong patch
        step = 2 * self.size * self.patch
        runs = []
        start = self.first
        while start < self.last:
            patch = (2 * start + 1) * self.length // step
            # first i whose centre lies in the next patch
            stop = -(-((patch + 1) * step - self.length) // (2 * self.length))
            runs.append(Run(patch, start, min(stop, self.last)))
            start = stop
        return runs

    def local(self) -> Float[Tensor, "#n m"]:
        """Coordinates in [-1, 1] of every run in its own patch, all as many as the longest has.

        What a shorter run has too many stays inside the patch; `join` drops it. One row if all
        runs have the same.
        """
        runs = self.runs()
        unit = self.size * self.patch
        begins = [(2 * r.start + 1) * self.length - 2 * unit * r.patch for r in runs]
        if len(set(begins)) == 1:
            begins = begins[:1]
        longest = max(r.stop - r.start for r in runs)
        steps = 2 * self.length * torch.arange(longest, dtype=torch.float64)
        begin = torch.tensor(begins, dtype=torch.float64)[:, None]
        return ((begin + steps) / unit - 1.0).clamp(max=1.0).float()


def axis(
    name: str, length: int, patch: int | None, size: int, region: tuple[float, float] | None
) -> Axis:
    """Lay out one axis; `region` is half-open, in pixels of the original.

    Raises:
        SignalError: a region in which no pixel has its centre.
    """
    low, high = region or (0.0, float(length))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise SignalError(f"region {name}: {low} to {high} are not finite numbers")
    first, last = (min(max(math.ceil(edge * size / length - 0.5), 0), size) for edge in (low, high))
    if first >= last:
        raise SignalError(
            f"region {name}: no pixel between {low:g} and {high:g}; the image has 0 to {length}"
        )
    return Axis(length, patch or length, size, first, last)


def queries(y: Axis, x: Axis) -> Float[Tensor, "#P M 2"]:
    """Where the patches are asked, row-major; one shared grid if all are asked alike."""
    rows, columns = y.local(), x.local()
    if rows.shape[0] > 1 or columns.shape[0] > 1:
        rows = rows.expand(len(y.runs()), -1)
        columns = columns.expand(len(x.runs()), -1)
    full = (rows.shape[0], columns.shape[0], rows.shape[1], columns.shape[1])
    pair = torch.stack(
        [rows[:, None, :, None].expand(full), columns[None, :, None, :].expand(full)], dim=-1
    )
    return rearrange(pair, "a b y x q -> (a b) (y x) q")


def parts(y: Axis, x: Axis) -> tuple[int, ...]:
    """Numbers of the patches that are asked, row-major."""
    return tuple(r.patch * x.patches + c.patch for r in y.runs() for c in x.runs())


def join(features: Float[Tensor, "P M C"], y: Axis, x: Axis) -> Float[Tensor, "H W C"]:
    """The picture that the answers at `queries(y, x)` make."""
    rows, columns = y.runs(), x.runs()
    tall = max(r.stop - r.start for r in rows)
    wide = max(c.stop - c.start for c in columns)
    if features.shape[:2] != (len(rows) * len(columns), tall * wide):
        raise SignalError(
            f"{tuple(features.shape)} answers are not {len(rows)} by {len(columns)} patches "
            f"of {tall} by {wide} pixels"
        )
    canvas = features.new_empty(y.last - y.first, x.last - x.first, features.shape[-1])
    answers = iter(features.unflatten(1, (tall, wide)))
    for r in rows:
        for c in columns:
            canvas[r.start - y.first : r.stop - y.first, c.start - x.first : c.stop - x.first] = (
                next(answers)[: r.stop - r.start, : c.stop - c.start]
            )
    return canvas
