"""The cubes that a volume is cut into, and where their voxels lie in them.

A cube is so many millimetres wide, not so many voxels: the same latent then stands for the same
piece of anatomy, however fine or flat the voxels are that look at it. How many voxels a cube holds
differs between files, and between the axes of one.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float

from inrc import grid

Triple = tuple[int, int, int]

_LARGEST = 2  # a cube holds at most so many times `patch` voxels along an axis: bounds a row
_NEARLY = 1e-3  # voxel sizes are rounded: 16 voxels of 1.0001 mm are taken for 16 mm


@dataclass(frozen=True)
class Block:
    """Voxels of a cube along every axis, and how far they reach in its coordinates [-1, 1]."""

    size: Triple
    reach: tuple[float, float, float]

    def counts(self, space: Triple) -> Triple:
        """Blocks along every axis of a volume."""
        x, y, z = grid.counts(space, self.size)
        return x, y, z

    def coordinates(self) -> Float[torch.Tensor, "M 3"]:
        """Centres of the voxels."""
        return grid.coordinates(self.size) * torch.tensor(self.reach)


def block(
    space: Triple, sizes: tuple[float, float, float], patch: int, spacing: float | None
) -> Block:
    """Lay out the blocks of a volume.

    Args:
        space: voxels along every axis.
        sizes: edges of a voxel in millimetres.
        patch: edge of a cube, in voxels of the edge `spacing`.
        spacing: millimetres; None counts in voxels, whatever their size.
    """
    if spacing is None:
        return Block((patch, patch, patch), (1.0, 1.0, 1.0))
    width = patch * spacing
    fit = [width / edge + _NEARLY for edge in sizes]
    x, y, z = (
        max(1, min(math.floor(min(f, _LARGEST * patch)), n))
        for f, n in zip(fit, space, strict=True)
    )
    # one voxel larger than a cube has its centre in that of the cube
    a, b, c = (min(n * edge / width, 1.0) for n, edge in zip((x, y, z), sizes, strict=True))
    return Block((x, y, z), (a, b, c))


def whole(space: Triple) -> Float[torch.Tensor, "M 3"]:
    """Centres of all voxels of a volume in [-1, 1], with no more memory than they need."""
    out = torch.empty(*space, 3)
    for axis, n in enumerate(space):
        shape = [1, 1, 1]
        shape[axis] = n
        out[..., axis] = grid.coordinates((n,)).reshape(shape)
    return out.reshape(-1, 3)
