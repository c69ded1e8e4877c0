"""A scene on disk: cameras, and pictures that are loaded one at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.nerf.cameras import Cameras

VIEWS = 1 << 16
"""Most views of a scene; captures have 20 to 2,000."""
SIDE = 1 << 14
"""Most pixels along a side of a view."""


@dataclass(frozen=True)
class Scene:
    """Cameras, and `picture(i)`, the view of camera i as H W 3 or H W 4 (opacity) in [0, 1].

    `picture` raises SignalError for a view that cannot be read, or has another size.
    """

    path: Path
    cameras: Cameras
    picture: Callable[[int], NDArray[np.float32]]

    def over(self, number: int, background: tuple[float, float, float]) -> NDArray[np.float32]:
        """A view without its transparency, H W 3."""
        view = self.picture(number)
        if view.shape[2] == 3:
            return view
        alpha = view[..., 3:]
        return view[..., :3] * alpha + (1.0 - alpha) * np.asarray(background, np.float32)


def measurable(path: Path, views: int, height: int, width: int, focal: float) -> None:
    """Raise SignalError for impossible numbers, sizes and focal lengths."""
    if not 1 <= views <= VIEWS:
        raise SignalError(f"{path}: {views} views; a scene has 1 to {VIEWS}")
    if not (1 <= height <= SIDE and 1 <= width <= SIDE):
        raise SignalError(f"{path}: views of {width} by {height} pixels; the limit is {SIDE}")
    # fields of view from a thousandth of a degree to 179 degrees
    if not 0.005 * width < focal < 1e5 * width:
        raise SignalError(f"{path}: a focal length of {focal:g} pixels cannot be right; correct it")


See = Callable[[Scene, int], NDArray[np.float32]]
"""One picture of a scene over a background, H W 3 in [0, 1]."""
