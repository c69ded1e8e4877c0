"""Pinhole cameras, the rays of their pixels, and the path of a turntable.

Camera-to-world matrices in OpenGL's convention, as Blender and NeRF (arXiv:2003.08934) have them:
x to the right, y up, looking along -z.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.errors import SignalError

RAY = 7
"""Numbers of a ray: origin, unit direction, and where in its interval each sample sits, 0 to 1."""
CENTRED = 0.5
"""Where samples sit when nothing is drawn at random: the midpoint rule."""

_MAX_SKEW = 1e-2  # relative distance from a rotation: files round to 4 digits and fewer


@dataclass(frozen=True)
class Cameras:
    """Cameras of one lens: poses, height and width in pixels, focal length in pixels."""

    poses: Float[Tensor, "V 3 4"]
    size: tuple[int, int]
    focal: float

    def __len__(self) -> int:
        return self.poses.shape[0]

    @property
    def pixels(self) -> int:
        """Pixels of one view."""
        return self.size[0] * self.size[1]

    def rays(
        self, views: Int[Tensor, " M"], pixels: Int[Tensor, " M"], phase: float | Tensor = CENTRED
    ) -> Float[Tensor, "M 7"]:
        """Rays through the centres of pixels, by number of the view and of the pixel in it."""
        height, width = self.size
        x = (pixels % width + 0.5 - 0.5 * width) / self.focal
        y = (0.5 * height - 0.5 - torch.div(pixels, width, rounding_mode="floor")) / self.focal
        poses = self.poses[views]  # M 3 4
        seen = torch.stack([x, y, torch.full_like(x, -1.0)], dim=-1).to(poses)
        direction = torch.nn.functional.normalize((poses[:, :, :3] @ seen[:, :, None])[..., 0])
        phases = torch.as_tensor(phase).to(poses).expand(len(pixels))[:, None]
        return torch.cat([poses[:, :, 3], direction, phases], dim=-1)

    def every(self) -> Float[Tensor, "M 7"]:
        """The rays of all pixels of all views, view by view and row by row."""
        pixels = torch.arange(self.pixels)
        rays = torch.empty(len(self), self.pixels, RAY)
        for number in range(len(self)):  # one at a time: temporary values take more memory
            rays[number] = self.rays(torch.full_like(pixels, number), pixels)
        return rays.flatten(0, 1)

    def resized(self, scale: float) -> "Cameras":
        """The same cameras with another number of pixels.

        Raises SignalError for a scale that is not positive.
        """
        if not (math.isfinite(scale) and scale > 0):
            raise SignalError(f"scale {scale}: give a number above 0")
        # beyond this, products of sizes would not be exact
        height, width = (max(1, round(min(n * scale, 2.0**31))) for n in self.size)
        return Cameras(self.poses, (height, width), self.focal * width / self.size[1])

    def between(self, low: float, high: float) -> "Cameras":
        """The cameras low <= number < high.

        Raises SignalError if there is no such camera.
        """
        first, last = (min(max(math.ceil(edge), 0), len(self)) for edge in (low, high))
        if first >= last:
            raise SignalError(
                f"region view: no view from {low:g} to {high:g}; there are 0 to {len(self)}"
            )
        return Cameras(self.poses[first:last], self.size, self.focal)


def spread(pixels: int, count: int, number: int) -> Tensor:
    """`count` different pixels of view `number`, evenly from all of it, in increasing order."""
    if count >= pixels:
        return torch.arange(pixels)
    generator = torch.Generator().manual_seed(number)
    # one from each of `count` runs of pixels: regular ones would repeat columns
    edges = torch.arange(count + 1, dtype=torch.int64) * pixels // count
    room = edges[1:] - edges[:-1]
    return edges[:-1] + (torch.rand(count, generator=generator) * room).long().clamp(max=room - 1)


def checked(matrices: Float[Tensor, "V r 4"], where: str) -> Float[Tensor, "V 3 4"]:
    """Camera-to-world matrices with three or four rows as float32 poses.

    A uniform scale is taken out of the rotation, which some exporters leave there.

    Raises SignalError, naming the view, for what is not finite, singular, mirrored or skewed.
    """
    poses = matrices.double()
    for number, pose in enumerate(poses):
        which = f"{where}: the pose of view {number}"
        if not bool(pose.isfinite().all()) or float(pose.abs().max()) > 1e9:
            raise SignalError(f"{which} is not finite, or beyond 1e9; correct or remove it")
        turn = pose[:3, :3]
        volume = float(torch.linalg.det(turn))
        size = float(turn.norm()) / math.sqrt(3.0)
        if size < 1e-6 or abs(volume) < 1e-6 * size**3:
            raise SignalError(f"{which} is singular; correct or remove it")
        turn = turn / size
        off = float((turn @ turn.T - torch.eye(3, dtype=turn.dtype)).abs().max())
        if volume < 0 or off > _MAX_SKEW:
            raise SignalError(
                f"{which} is not a rotation (mirrored or skewed); correct or remove it"
            )
        if pose.shape[0] == 4 and not torch.allclose(pose[3], pose.new_tensor([0, 0, 0, 1.0])):
            raise SignalError(f"{which} does not end with the row 0 0 0 1; correct or remove it")
        poses[number, :3, :3] = turn
    return poses[:, :3].float().contiguous()


def same(one: Cameras, two: Cameras) -> list[tuple[int, int]]:
    """Pairs of views that were taken by the same camera: (number in one, number in two)."""
    if one.size != two.size or abs(one.focal - two.focal) > 1e-3 * one.focal:
        return []
    distance = torch.cdist(one.poses.flatten(1), two.poses.flatten(1), p=math.inf)
    # float32 as text, and matrices that were orthonormalised by others
    reach = 1e-4 * max(1.0, float(one.poses.abs().max()))
    least, nearest = distance.min(dim=1)
    return [(i, int(nearest[i])) for i in range(len(one)) if float(least[i]) <= reach]
