"""What tests of scenes share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from torch import Tensor

from inrc_modalities.nerf import orbit, sample
from inrc_modalities.nerf.cameras import Cameras
from inrc_modalities.nerf.solids import Solid, seen

QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


GLASS = [Solid(False, np.array([0.2, 0.0, 0.1]), np.full(3, 0.7), 0.0, 3.0, np.array([1, 0.5, 0])),
         Solid(True, np.array([-0.2, 0.1, 0.0]), np.array([0.3, 0.5, 0.4]), 0.4, 2.0,
               np.array([0.1, 0.2, 0.9]))]  # fmt: skip


def shown(
    size: tuple[int, int] = (9, 14), views: int = 3, path: list[int] | None = None
) -> Cameras:
    """Cameras on a circle, 3.9 away from the origin."""
    poses = orbit.circle(path or [13, 3, 0, 0, 0, 0], views, 6.0)
    return Cameras(poses, size, float(np.float32(1.7 * size[1])))


def glass(cameras: Cameras) -> np.ndarray:
    """What the cameras see of the two solids before white, in 8 bits."""
    rays = cameras.every().double().numpy()
    colours = seen(GLASS, rays[:, :3], rays[:, 3:6], np.ones(3))
    return (colours * 255 + 0.5).astype(np.uint8).reshape(len(cameras), *cameras.size, 3)


def truth(path: Path) -> Callable[[Tensor], Tensor]:
    """The exact field of a scene of the sample."""
    seed, number = (int(word) for word in path.parent.name.split("-")[1:])
    solids = sample.drawn(seed, number, 1.0)

    def answer(queries: Tensor) -> Tensor:
        rays = queries.double().numpy().reshape(-1, 7)
        colours = seen(solids, rays[:, :3], rays[:, 3:6], np.ones(3))
        return torch.from_numpy(colours).float().reshape(*queries.shape[:2], 3)

    return answer
