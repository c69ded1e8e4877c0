"""Pixels in memory, and what may be changed about their channels without losing any."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Level = TypeVar("Level", bound=np.generic)

MODES: dict[str, tuple[int, bool]] = {
    "1": (1, False),
    "L": (1, False),
    "LA": (1, True),
    "RGB": (3, False),
    "RGBA": (3, True),
}
"""Pillow's name of a layout: number of colours, and whether transparency follows."""

LAYOUTS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""The layout that a model of so many channels works in."""

ICC_LIMIT = 4096
"""Bytes of a colour profile that is kept; camera and display profiles have 500 to 3,200."""


@dataclass(frozen=True)
class Pixels:
    """What an image file holds: `array` H W c of uint8 or uint16; mode "1" holds 0 and 255.

    `icc` is a colour profile that is not sRGB and not larger than ICC_LIMIT.
    """

    array: NDArray[np.uint8] | NDArray[np.uint16]
    mode: str
    icc: bytes | None = None

    @property
    def depth(self) -> int:
        """Bits per channel: 8 or 16."""
        return 8 * self.array.dtype.itemsize

    @property
    def peak(self) -> int:
        """The largest value of a channel: 255 or 65535."""
        return peak(self.depth)


def peak(depth: int) -> int:
    """The largest value that fits `depth` bits."""
    return (1 << depth) - 1


def loss(pixels: Pixels, mode: str) -> str | None:
    """What these pixels would lose in another layout; None if nothing."""
    colours, alpha = MODES[pixels.mode]
    array = pixels.array
    if colours == 3 and MODES[mode][0] == 1 and not (array[..., :1] == array[..., :3]).all():
        return "colours"
    if alpha and not MODES[mode][1] and not (array[..., -1] == pixels.peak).all():
        return "transparency"
    return None


def recast(array: NDArray[Level], source: str, target: str, opaque: float) -> NDArray[Level]:
    """Pixels in another layout: greys are repeated or averaged, opaqueness is added or dropped.

    Args:
        array: H W c, of any number type.
        source: the layout that it has.
        target: the layout that it should have.
        opaque: the value of a pixel that lets nothing through, 1.0, 255 or 65535.
    """
    colours, alpha = MODES[source]
    wanted, see_through = MODES[target]
    colour, rest = array[..., :colours], array[..., colours:]
    if (colours, wanted) == (1, 3):
        colour = np.repeat(colour, 3, axis=-1)
    elif (colours, wanted) == (3, 1):
        colour = colour.mean(axis=-1, keepdims=True).astype(array.dtype)
    if see_through and not alpha:
        rest = np.full_like(colour[..., :1], opaque)
    return np.concatenate([colour, rest], axis=-1) if see_through else np.ascontiguousarray(colour)
