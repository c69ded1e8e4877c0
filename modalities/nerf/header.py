"""The header of a scene: a few integers, and poses where they are kept."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from inrc.errors import SignalError
from inrc_modalities.nerf import orbit
from inrc_modalities.nerf.cameras import Cameras
from inrc_modalities.nerf.scene import SIDE, VIEWS

KEYS = ("views", "rays", "size", "focal", "orbit", "poses")

_NUMBER = np.dtype("<f4")
_POSE = 12 * _NUMBER.itemsize


def describe(cameras: Cameras, rays: int, path: list[int], poses: bool) -> dict[str, Any]:
    """The header of a scene of which so many rays of every view are known.

    `focal` and `poses` are float32, so that a file that was written and read again has the same.
    """
    return {
        "views": len(cameras),
        "rays": rays,
        "size": list(cameras.size),
        "focal": float(np.float32(cameras.focal)),
        "orbit": path,
        "poses": cameras.poses.numpy().astype(_NUMBER).tobytes() if poses else None,
    }


def shape(meta: Mapping[str, Any]) -> tuple[int, int]:
    """Views, and rays of each, after checking everything that the header declares.

    Raises SignalError for a header that no scene can have.
    """
    entries: list[Any] = [meta.get(key) for key in KEYS]
    views, rays, size, focal, path, poses = entries
    if (
        not _count(views, VIEWS)
        or not isinstance(size, list | tuple)
        or len(size) != 2
        or not all(_count(side, SIDE) for side in size)
        or not _count(rays, size[0] * size[1])
        or type(focal) is not float
        or not (math.isfinite(focal) and 0.005 * size[1] < focal < 1e5 * size[1])
        or not orbit.sound(path)
        or not (poses is None or (isinstance(poses, bytes) and len(poses) == views * _POSE))
        or (poses is not None and not np.isfinite(np.frombuffer(poses, _NUMBER)).all())
    ):
        raise SignalError(f"nerf: invalid header ({dict(meta)!r:.80}); the file is damaged")
    return views, rays


def poses(meta: Mapping[str, Any]) -> Float[Tensor, "V 3 4"] | None:
    """The cameras that a checked header holds, if it does."""
    if meta["poses"] is None:
        return None
    numbers = np.frombuffer(meta["poses"], _NUMBER).astype(np.float32)
    return torch.from_numpy(numbers.reshape(-1, 3, 4))


def _count(value: object, most: int) -> bool:
    return type(value) is int and 1 <= value <= most
