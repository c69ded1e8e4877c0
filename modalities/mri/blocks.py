"""The cubes that a volume is cut into, and where their voxels lie in them.

A cube is so many millimetres wide, not so many voxels: the same latent then stands for the same
piece of anatomy, however fine or flat the voxels are that look at it. How many voxels a cube holds
differs between files, and between the axes of one: the whole number that is nearest.

They fill the cube, which is then up to half a voxel larger or smaller than it should be: a latent
is found by least squares, and where nobody looks a field does as it likes.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float

from inrc import grid

Triple = tuple[int, int, int]

_LARGEST = 2  # a cube holds at most so many times `patch` voxels along an axis: bounds a row


@dataclass(frozen=True)
class Block:
    """Voxels of a cube along every axis, and how far from its middle it is asked at most."""

    size: Triple
    limit: float

    def counts(self, space: Triple) -> Triple:
        """Blocks along every axis of a volume."""
        x, y, z = grid.counts(space, self.size)
        return x, y, z

    def coordinates(self) -> Float[torch.Tensor, "M 3"]:
        """Centres of the voxels, the cube reaching from -1 to 1."""
        return grid.coordinates(self.size).clamp(-self.limit, self.limit)


def block(sizes: tuple[float, float, float], patch: int, spacing: float | None) -> Block:
    """Lay out the blocks of a volume.

    Args:
        sizes: edges of a voxel in millimetres.
        patch: edge of a cube, in voxels of the edge `spacing`.
        spacing: millimetres; None counts in voxels, whatever their size.
    """
    if spacing is None:
        return Block((patch, patch, patch), limit(patch))
    x, y, z = (max(1, round(min(patch * spacing / edge, _LARGEST * patch))) for edge in sizes)
    return Block((x, y, z), limit(patch))


def limit(patch: int) -> float:
    """The outermost place in a cube that training has voxels at.

    A field is not asked beyond it, by the half of a voxel that finer ones would need: nothing was
    learned there, and between two cubes a seam would show.
    """
    return 1.0 - 1.0 / patch


def whole(space: Triple) -> Float[torch.Tensor, "M 3"]:
    """Centres of all voxels of a volume in [-1, 1], with no more memory than they need."""
    out = torch.empty(*space, 3)
    for axis, n in enumerate(space):
        shape = [1, 1, 1]
        shape[axis] = n
        out[..., axis] = grid.coordinates((n,)).reshape(shape)
    return out.reshape(-1, 3)
