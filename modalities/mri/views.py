"""Queries of a decoder, for any size and any region of a volume."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from inrc import grid
from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.mri import labels, masks
from inrc_modalities.mri.blocks import Block, Triple
from inrc_modalities.mri.header import Header
from inrc_modalities.mri.layout import MAX_EDGE, MAX_VOXELS
from inrc_modalities.mri.reading import load_header

NAMES = ("x", "y", "z")


Axes = tuple[grid.Axis, grid.Axis, grid.Axis]


def axes(space: Triple, version: int, block: Block, view: View) -> Axes:
    """Lay out the axes of a view.

    Raises:
        SignalError: a scale that is not positive, a result too large for its file, both scale and
            `at`, an unknown axis, a region in which no voxel has its centre.
    """
    region = view.intervals(NAMES)
    x, y, z = (
        grid.axis(name, n, size, Fraction(n, shown), region.get(name), "voxel", block.limit)
        for name, n, size, shown in zip(NAMES, space, block.size, _shown(space, view), strict=True)
    )
    lengths = [each.size for each in (x, y, z)]
    if max(lengths) > MAX_EDGE[version] or math.prod(lengths) > MAX_VOXELS:
        raise SignalError(f"a volume of {lengths} voxels is too large for NIfTI; ask for less")
    return x, y, z


def _shown(space: Triple, view: View) -> Triple:
    scale = view.factor()
    if view.at is not None:
        return load_header(view.at).space
    x, y, z = (max(1, round(min(n * scale, 2.0**24))) for n in space)
    return x, y, z


def queries(asked: Axes, volumes: int) -> Float[Tensor, "#P M 3"]:
    """Where the blocks are asked; one shared grid if all are asked alike."""
    own = grid.queries(asked)
    return own if len(own) == 1 else own.repeat(volumes, 1, 1)


def parts(asked: Axes, volumes: int) -> tuple[int, ...]:
    """Numbers of the blocks that are asked, row-major, volume by volume."""
    per_volume = math.prod(axis.patches for axis in asked)
    inside = grid.parts(asked)
    return tuple(t * per_volume + n for t in range(volumes) for n in inside)


def join(features: Float[Tensor, "P M 1"], asked: Axes, volumes: int) -> Float[Tensor, "T X Y Z"]:
    """The volumes that the answers at `queries` make."""
    canvas = features.new_empty(volumes, *(axis.size for axis in asked))
    for volume, answers in zip(canvas, features.chunk(volumes), strict=True):
        volume.copy_(grid.assemble(answers, asked)[..., 0])
    return canvas


def nearest(meta: Mapping[str, Any], header: Header, asked: Axes) -> dict[str, Any]:
    """Labels and unknown voxels of what is shown: those of the nearest voxels of the original."""
    lattice = (header.volumes, *header.space)
    x, y, z = (axis.nearest() for axis in asked)
    places = (slice(None), x[:, None, None], y[:, None], z)
    entries: dict[str, Any] = {"labels": None, "unknown": None}
    if meta["labels"] is not None:
        entries["labels"] = labels.pack(
            labels.unpack(meta["labels"], lattice, header.dtype)[places]
        )
    if meta["unknown"] is not None:
        kinds = masks.unpack(meta["unknown"], lattice)[places]
        entries["unknown"] = masks.pack(kinds) if kinds.any() else None
    return entries


def shown(header: Header, asked: Axes) -> Header:
    """The header of what is shown: it lies where it lay in space, in voxels of another size."""
    fields = header.fields.copy()
    ratio = np.array([float(axis.step) for axis in asked])
    # the first voxel's centre, in voxels of the original
    corner = np.array([(a.first + 0.5) * r - 0.5 for a, r in zip(asked, ratio, strict=True)])
    turned = header.qform()
    offset = turned[:, :3] @ corner + turned[:, 3]
    for k, name in enumerate(NAMES):
        row = fields[f"srow_{name}"].astype(np.float64)
        fields[f"srow_{name}"] = [*row[:3] * ratio, row[:3] @ corner + row[3]]
        fields[f"qoffset_{name}"] = offset[k]
        fields["pixdim"][1 + k] *= ratio[k]
    lengths = [axis.size for axis in asked]
    rank = max(int(fields["dim"][0]), max(k + 1 for k in range(3) if lengths[k] > 1 or k < 2))
    fields["dim"][0] = rank
    fields["dim"][1:4] = lengths
    for name in ("slice_start", "slice_end", "slice_code", "slice_duration"):
        fields[name] = 0  # the order in which slices were taken is no longer theirs
    return Header(header.version, header.order, fields, header.extra)
