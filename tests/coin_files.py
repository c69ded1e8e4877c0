"""A picture for the tests of COIN."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow


def picture(path: Path, size: tuple[int, int] = (32, 24), phase: float = 0.0) -> None:
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / 8.0
    waves = [np.sin(x + phase), np.cos(y * x / 3), np.sin(x + y + phase)]
    Pillow.fromarray((127 + 90 * np.stack(waves, -1)).astype(np.uint8)).save(path)
