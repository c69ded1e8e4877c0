"""Which voxels of which blocks a decoder asks, for any size and any region of a volume."""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.mri.blocks import Block, Triple
from inrc_modalities.mri.header import EDGE, VOXELS, Header
from inrc_modalities.mri.reading import load_header

NAMES = ("x", "y", "z")


@dataclass(frozen=True)
class Run:
    """Voxels `start` to `stop` of one axis of the result: what block number `block` answers."""

    block: int
    start: int
    stop: int


@dataclass(frozen=True)
class Axis:
    """One axis of a volume of `length` voxels in blocks of `size`, shown as `shown` voxels.

    Voxel i of the result has its centre at (i + 0.5) * length / shown in voxels of the original.
    Only those from `first` to `last` (half-open) are asked.
    """

    length: int
    size: int
    limit: float
    shown: int
    first: int
    last: int

    @property
    def blocks(self) -> int:
        """Blocks of the original along this axis."""
        return -(-self.length // self.size)

    def runs(self) -> list[Run]:
        """The blocks that answer, in order, and what each of them answers."""
        # whole numbers only: a rounding error would put a voxel on a border into the wrong block
        step = 2 * self.shown * self.size
        runs = []
        start = self.first
        while start < self.last:
            block = (2 * start + 1) * self.length // step
            # first i whose centre lies in the next block
            stop = -(-((block + 1) * step - self.length) // (2 * self.length))
            runs.append(Run(block, start, min(stop, self.last)))
            start = stop
        return runs

    def local(self) -> Float[Tensor, "#n m"]:
        """Coordinates of every run in its own block, all as many as the longest has.

        What a shorter run has too many stays inside the block; `join` drops it. One row if all
        runs have the same.
        """
        runs = self.runs()
        unit = self.shown * self.size
        begins = [(2 * r.start + 1) * self.length - 2 * unit * r.block for r in runs]
        if len(set(begins)) == 1:
            begins = begins[:1]
        longest = max(r.stop - r.start for r in runs)
        steps = 2 * self.length * torch.arange(longest, dtype=torch.float64)
        begin = torch.tensor(begins, dtype=torch.float64)[:, None]
        return ((begin + steps) / unit - 1.0).clamp(-self.limit, self.limit).float()

    def nearest(self) -> NDArray[np.int64]:
        """The original voxel in which the centre of each voxel of the result lies."""
        return (2 * np.arange(self.first, self.last) + 1) * self.length // (2 * self.shown)


Axes = tuple[Axis, Axis, Axis]


def axes(space: Triple, version: int, block: Block, view: View) -> Axes:
    """Lay out the axes of a view.

    Raises:
        SignalError: a scale that is not positive, a result too large for its file, both scale and
            `at`, an unknown axis, a region in which no voxel has its centre.
    """
    region: dict[str, tuple[float, float]] = {}
    for name, low, high in view.region:
        if name not in NAMES or name in region:
            raise SignalError(f"region: {name!r} twice or unknown; a volume has x, y and z")
        region[name] = (low, high)
    x, y, z = (
        _axis(*each, block.limit, region.get(each[0]))
        for each in zip(NAMES, space, block.size, _shown(space, view), strict=True)
    )
    lengths = [each.last - each.first for each in (x, y, z)]
    if max(lengths) > EDGE[version] or math.prod(lengths) > VOXELS:
        raise SignalError(f"a volume of {lengths} voxels is too large for its file")
    return x, y, z


def _shown(space: Triple, view: View) -> Triple:
    if view.at is not None:
        if view.scale is not None:
            raise SignalError("ask for a scale or for the grid of another file, not for both")
        return load_header(view.at).space
    scale = 1.0 if view.scale is None else view.scale
    if not (math.isfinite(scale) and scale > 0):
        raise SignalError(f"scale {scale}: give a number above 0")
    x, y, z = (max(1, round(min(n * scale, 2.0**24))) for n in space)
    return x, y, z


def _axis(
    name: str,
    length: int,
    size: int,
    shown: int,
    limit: float,
    region: tuple[float, float] | None,
) -> Axis:
    low, high = region or (0.0, float(length))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise SignalError(f"region {name}: {low} to {high} are not finite numbers")
    low, high = (min(max(edge, 0.0), float(length)) for edge in (low, high))
    first, last = (
        min(max(math.ceil(edge * shown / length - 0.5), 0), shown) for edge in (low, high)
    )
    if first >= last:
        raise SignalError(
            f"region {name}: no voxel between {low:g} and {high:g}; the volume has 0 to {length}"
        )
    return Axis(length, size, limit, shown, first, last)


def queries(asked: Axes, volumes: int) -> Float[Tensor, "#P M 3"]:
    """Where the blocks are asked; one shared grid if all are asked alike."""
    rows = [axis.local() for axis in asked]
    if any(len(row) > 1 for row in rows):
        rows = [r.expand(len(a.runs()), -1) for r, a in zip(rows, asked, strict=True)]
    many = [len(row) for row in rows]
    cells = [row.shape[1] for row in rows]
    out = torch.empty(*many, *cells, 3)
    for k, row in enumerate(rows):
        shape = [1] * 6
        shape[k], shape[3 + k] = row.shape
        out[..., k] = row.reshape(shape)
    flat = out.reshape(math.prod(many), math.prod(cells), 3)
    return flat if len(flat) == 1 else flat.repeat(volumes, 1, 1)


def parts(asked: Axes, volumes: int) -> tuple[int, ...]:
    """Numbers of the blocks that are asked, row-major, volume by volume."""
    x, y, z = asked
    per_volume = x.blocks * y.blocks * z.blocks
    inside = [
        (a.block * y.blocks + b.block) * z.blocks + c.block
        for a, b, c in product(x.runs(), y.runs(), z.runs())
    ]
    return tuple(t * per_volume + n for t in range(volumes) for n in inside)


def join(features: Float[Tensor, "P M 1"], asked: Axes, volumes: int) -> Float[Tensor, "T X Y Z"]:
    """The volumes that the answers at `queries` make."""
    runs = [axis.runs() for axis in asked]
    longest = [max(r.stop - r.start for r in own) for own in runs]
    expected = (volumes * math.prod(map(len, runs)), math.prod(longest))
    if features.shape[:2] != expected:
        raise SignalError(f"{tuple(features.shape)} answers are not {expected}, those of the view")
    canvas = features.new_empty(volumes, *(axis.last - axis.first for axis in asked))
    answers = iter(features.reshape(-1, *longest))
    for t in range(volumes):
        for own in product(*runs):
            place = [
                slice(r.start - axis.first, r.stop - axis.first)
                for r, axis in zip(own, asked, strict=True)
            ]
            used = [slice(r.stop - r.start) for r in own]
            canvas[t][tuple(place)] = next(answers)[tuple(used)]
    return canvas


def shown(header: Header, asked: Axes) -> Header:
    """The header of what is shown: it lies where it lay in space, in voxels of another size."""
    fields = header.fields.copy()
    ratio = np.array([axis.length / axis.shown for axis in asked])
    # the first voxel's centre, in voxels of the original
    corner = np.array([(a.first + 0.5) * r - 0.5 for a, r in zip(asked, ratio, strict=True)])
    turned = header.qform()
    offset = turned[:, :3] @ corner + turned[:, 3]
    for k, name in enumerate(NAMES):
        row = fields[f"srow_{name}"].astype(np.float64)
        fields[f"srow_{name}"] = [*row[:3] * ratio, row[:3] @ corner + row[3]]
        fields[f"qoffset_{name}"] = offset[k]
        fields["pixdim"][1 + k] *= ratio[k]
    lengths = [axis.last - axis.first for axis in asked]
    rank = max(int(fields["dim"][0]), max(k + 1 for k in range(3) if lengths[k] > 1 or k < 2))
    fields["dim"][0] = rank
    fields["dim"][1:4] = lengths
    for name in ("slice_start", "slice_end", "slice_code", "slice_duration"):
        fields[name] = 0  # the order in which slices were taken is no longer theirs
    return Header(header.version, header.order, fields, header.extra)
