"""The circle of cameras that a decoder shows by default.

Six small integers describe it coarsely, so that scenes of similar photographs get the same circle:
it then costs nothing in a file whose model has it as the default.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

GRAIN = 0.05
"""Of the far distance: the unit of the circle's radius and centre."""
TILT = 10
"""Degrees: the unit of the elevation."""
LIMIT = 1000
"""Largest radius and coordinate of the centre, in GRAIN; so many far distances are out of reach."""

_UPS = ((0, 0, 1), (0, 0, -1), (0, 1, 0), (0, -1, 0), (1, 0, 0), (-1, 0, 0))


def describe(poses: Float[Tensor, "V 3 4"], far: float) -> list[int]:
    """Radius, elevation, up axis and centre (x y z) of a circle like the path of these cameras.

    The centre is the point nearest to all optical axes, in the least-squares sense.
    """
    poses = poses.double()
    places, axes = poses[:, :, 3], -poses[:, :, 2]
    across = torch.eye(3, dtype=poses.dtype) - axes[:, :, None] * axes[:, None, :]  # V 3 3
    # a little of the identity: parallel axes meet nowhere, and are drawn to the origin
    left = across.sum(0) + 1e-6 * len(poses) * torch.eye(3, dtype=poses.dtype)
    centre = torch.linalg.solve(left, (across @ places[:, :, None]).sum(0)[:, 0])
    ups = torch.tensor(_UPS, dtype=poses.dtype)
    up = int((ups @ poses[:, :, 1].mean(0)).argmax())
    away = places - centre
    radius = float(away.norm(dim=1).mean())
    height = float((away @ ups[up]).mean()) / max(radius, 1e-9)
    elevation = math.degrees(math.asin(min(max(height, -1.0), 1.0)))
    tilt = min(max(round(elevation / TILT), -(80 // TILT)), 80 // TILT)
    units = [radius, *centre.tolist()]
    grains = [min(max(round(unit / (GRAIN * far)), -LIMIT), LIMIT) for unit in units]
    return [max(grains[0], 1), tilt, up, *grains[1:]]


def sound(orbit: object) -> bool:
    """Whether a value from a header is a circle that `describe` could have made."""
    if not isinstance(orbit, list | tuple) or len(orbit) != 6:
        return False
    if not all(type(n) is int and abs(n) <= LIMIT for n in orbit):
        return False
    return orbit[0] >= 1 and abs(orbit[1]) * TILT <= 80 and 0 <= orbit[2] < len(_UPS)


def circle(orbit: Sequence[int], frames: int, far: float) -> Float[Tensor, "V 3 4"]:
    """Poses once around, evenly, looking at the centre."""
    radius = orbit[0] * GRAIN * far
    centre = torch.tensor(orbit[3:], dtype=torch.float64) * GRAIN * far
    up = torch.tensor(_UPS[orbit[2]], dtype=torch.float64)
    aside = up.roll(1).abs()  # perpendicular to up, as the third one is
    third = torch.linalg.cross(up, aside)
    angle = 2.0 * math.pi * torch.arange(frames, dtype=torch.float64)[:, None] / frames
    tilt = math.radians(orbit[1] * TILT)
    flat = angle.cos() * aside + angle.sin() * third
    back = math.cos(tilt) * flat + math.sin(tilt) * up  # from the centre to the camera
    return looking(centre + radius * back, back, up)


def looking(
    places: Float[Tensor, "V 3"], back: Float[Tensor, "V 3"], up: Float[Tensor, " 3"]
) -> Float[Tensor, "V 3 4"]:
    """Poses of cameras that look along -back, level with respect to up."""
    right = torch.nn.functional.normalize(torch.linalg.cross(up.expand_as(back), back))
    above = torch.linalg.cross(back, right)
    return torch.stack([right, above, back, places], dim=-1).float()
