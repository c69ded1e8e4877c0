"""Pixels in memory, and the changes of their channels and direction that lose nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
"""Pillow's name of a layout: number of colours, and whether opacity follows."""

LAYOUTS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""The layout of a model by its number of channels."""

ORIENTATION = 0x0112
"""The tag of TIFF and EXIF 2.3 that says the way round that a viewer shows pixels."""
# orientation: (transpose first, then flip rows, then flip columns)
_TURNS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


@dataclass(frozen=True)
class Pixels:
    """The content of an image file.

    Args:
        array: H W c of uint8 or uint16; mode "1" holds 0 and 255.
        mode: a layout of `MODES`; opacity is straight (not premultiplied).
        icc: a colour profile, None for sRGB.
        colour: PNG chunks by name that say how pixels look, as in `colour.CHUNKS`.
    """

    array: NDArray[np.uint8] | NDArray[np.uint16]
    mode: str
    icc: bytes | None = None
    colour: Mapping[str, bytes] = field(default_factory=dict)

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


def missing_in(pixels: Pixels, mode: str) -> str | None:
    """What these pixels would lose in another layout; None if nothing."""
    colours, alpha = MODES[pixels.mode]
    array = pixels.array
    if colours == 3 and MODES[mode][0] == 1 and not (array[..., :1] == array[..., :3]).all():
        return "colours"
    if alpha and not MODES[mode][1] and not (array[..., -1] == pixels.peak).all():
        return "transparency"
    return None


def recast(array: NDArray[Level], source: str, target: str, opaque: float) -> NDArray[Level]:
    """Pixels in another layout: greys are repeated or averaged, opacity is added or dropped.

    Args:
        array: H W c, of any number type.
        source: the layout of `array`.
        target: the layout of the result.
        opaque: the value of an opaque pixel, 1.0, 255 or 65535.
    """
    colours, alpha = MODES[source]
    target_colours, target_alpha = MODES[target]
    colour, rest = array[..., :colours], array[..., colours:]
    if (colours, target_colours) == (1, 3):
        colour = np.repeat(colour, 3, axis=-1)
    elif (colours, target_colours) == (3, 1):
        colour = colour.mean(axis=-1, keepdims=True).astype(array.dtype)
    if target_alpha and not alpha:
        rest = np.full_like(colour[..., :1], opaque)
    return np.concatenate([colour, rest], axis=-1) if target_alpha else np.ascontiguousarray(colour)


def turned(array: NDArray[Level], orientation: int) -> NDArray[Level]:
    """Pixels H W c turned as an orientation of 1 to 8 says; anything else turns nothing."""
    transpose, rows, columns = _TURNS.get(orientation, (False, False, False))
    array = array.swapaxes(0, 1) if transpose else array
    array = array[::-1] if rows else array
    return np.ascontiguousarray(array[:, ::-1] if columns else array)


def squeezed(array: NDArray[Level]) -> NDArray[Level]:
    """Pixels H W c, without the last axis if there is one channel: as image libraries take them."""
    return array[..., 0] if array.shape[2] == 1 else array
