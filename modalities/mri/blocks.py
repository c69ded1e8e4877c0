"""The blocks that a volume is cut into, and where their voxels lie in them.

A block is so many millimetres wide, not so many voxels: one latent then stands for one piece of
anatomy, also where a file samples it more finely. Along an axis whose voxels are coarser, a block
is wider instead, and has `patch` voxels there: a latent of K numbers for fewer voxels than that
would cost more bits than the voxels themselves.

The voxels fill their block, which is up to half a voxel larger or smaller than stated: latents come
from least squares, and a field is arbitrary where no voxel asks it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float

from inrc import grid

Triple = tuple[int, int, int]

_MAX_FINER = 2  # a block has at most so many times `patch` voxels along an axis: bounds a row


@dataclass(frozen=True)
class Block:
    """Voxels of a block along every axis, and how far from its middle it is asked at most."""

    size: Triple
    limit: float

    def counts(self, space: Triple) -> Triple:
        """Blocks along every axis of a volume."""
        x, y, z = grid.counts(space, self.size)
        return x, y, z

    def cut(self, volumes: Float[torch.Tensor, "T X Y Z"]) -> Float[torch.Tensor, "P M 1"]:
        """Volumes as blocks, padded by reflection."""
        return torch.cat([grid.split(each[..., None], self.size) for each in volumes])

    def coordinates(self) -> Float[torch.Tensor, "M 3"]:
        """Centres of the voxels; the block reaches from -1 to 1."""
        return grid.coordinates(self.size).clamp(-self.limit, self.limit)


def block(sizes: tuple[float, float, float], patch: int, spacing: float | None) -> Block:
    """Lay out the blocks of a volume.

    Args:
        sizes: edges of a voxel in millimetres.
        patch: edge of a block in voxels of the edge `spacing`, and fewest voxels along an axis.
        spacing: millimetres; None gives `patch` voxels along every axis, whatever their size.
    """
    if spacing is None:
        return Block((patch, patch, patch), limit(patch))
    x, y, z = (max(patch, round(min(patch * spacing / edge, _MAX_FINER * patch))) for edge in sizes)
    return Block((x, y, z), limit(patch))


def limit(patch: int) -> float:
    """The outermost place in a block at which training has voxels.

    Finer voxels lie up to half a voxel beyond it, where a field has learned nothing and seams would
    show between blocks. They are asked here instead.
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
