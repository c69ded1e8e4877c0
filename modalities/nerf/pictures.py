"""Views as picture files."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.files import explained
from inrc_modalities.nerf.scene import SIDE

FORMATS = ("PNG", "JPEG")
"""Pillow's decoders that may read a view."""
ENDINGS = (".png", ".jpg", ".jpeg")

_MODES = {"L": "RGB", "LA": "RGBA", "RGB": "RGB", "RGBA": "RGBA", "1": "RGB"}
_LOSSES = {
    "icc_profile": "colour profiles of pictures",
    "gamma": "gamma of pictures",
    "exif": "Exif data of pictures",
}


def size(path: Path) -> tuple[int, int]:
    """Height and width, from the header alone; raises SignalError as `load`."""
    with _opened(path) as image:
        return image.height, image.width


def load(path: Path, expected: tuple[int, int]) -> NDArray[np.float32]:
    """A picture of that height and width as H W 3, or H W 4 with opacity, in [0, 1].

    Raises SignalError if it is missing, damaged, of another size, or not of 8 bits.
    """
    with _opened(path) as image:
        if (image.height, image.width) != expected:  # before a pixel is decoded
            raise SignalError(
                f"{path}: {image.width} by {image.height} pixels, but the first view of its "
                f"scene has {expected[1]} by {expected[0]}; all must have one size"
            )
        if image.mode in ("P", "PA") or "transparency" in image.info:
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        if image.mode not in _MODES:
            raise SignalError(
                f"{path}: pixels of kind {image.mode!r}; convert it to 8-bit RGB or RGBA"
            )
        levels = np.asarray(image.convert(_MODES[image.mode]), np.uint8)
    return levels.astype(np.float32) / np.float32(255.0)


def losses(paths: Sequence[Path]) -> list[str]:
    """What pictures hold beside their colours, from their headers, in short phrases.

    Raises:
        SignalError: a picture that cannot be read.
    """
    phrases: dict[str, None] = {}
    for path in paths:
        with _opened(path) as image:
            if image.has_transparency_data:
                phrases["opacity (seen over the background)"] = None
            phrases |= {phrase: None for key, phrase in _LOSSES.items() if key in image.info}
    return list(phrases)


def save(levels: NDArray[np.uint8], path: Path) -> None:
    """Write H W 3 levels as PNG. Raises SignalError if the disk fails."""
    try:
        PIL.Image.fromarray(levels).save(path, "PNG", optimize=max(levels.shape) < SIDE // 16)
    except OSError as error:
        raise SignalError(f"{path}: cannot be written ({error})") from None


@contextmanager
def _opened(path: Path) -> Iterator[PIL.Image.Image]:
    with explained(path, "a PNG or JPEG picture"), warnings.catch_warnings():
        warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
        with PIL.Image.open(path, formats=FORMATS) as image:
            yield image
