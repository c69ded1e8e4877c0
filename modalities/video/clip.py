"""A decoded clip: planes of 8-bit samples, times, and the meaning of its colours."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError

MAX_PIXELS = 1 << 29
"""Largest number of pixels of a clip, 6 GiB of features (17 s of 1920 by 1080 at 15 Hz)."""
MAX_SIDE = 1 << 14
"""Longest side; beyond it, H.264 and AV1 have no level."""
MAX_TERM = 1 << 31
"""Terms of fractions (rates, time bases, aspects) are below it, as in FFmpeg."""


@dataclass(frozen=True)
class Layout:
    """Number of planes, and how much coarser the second and third are along y and x."""

    planes: int
    down: tuple[int, int] = (1, 1)

    def sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Height and width of every plane, of which the first is the luma, or red.

        The last chroma samples of a row or column may stand for fewer pixels.
        """
        coarse = (-(-height // self.down[0]), -(-width // self.down[1]))
        return [(height, width), coarse, coarse][: self.planes]


LAYOUTS: Mapping[str, Layout] = {
    "yuv420p": Layout(3, (2, 2)),
    "yuv422p": Layout(3, (1, 2)),
    "yuv440p": Layout(3, (2, 1)),
    "yuv444p": Layout(3),
    "gray": Layout(1),
    "rgb": Layout(3),
}
"""Names are FFmpeg's, but for `rgb`: planes R, G, B, however a file orders them."""


@dataclass(frozen=True)
class Colour:
    """Meaning of samples, in the numbers of ISO/IEC 23091-2 (FFmpeg's AVCOL_*); 2 is unspecified.

    `range` is 0 if it is not specified, 1 for 16 to 235, 2 for 0 to 255, as AVCOL_RANGE. `siting`
    is where coarser chroma lies, as AVCHROMA_LOC: 0 not specified, 1 left, 2 centre, 3 top left.
    """

    range: int = 0
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    siting: int = 0

    def plain(self) -> list[int]:
        """As a meta holds it."""
        return [self.range, self.matrix, self.primaries, self.transfer, self.siting]


@dataclass(frozen=True)
class Clip:
    """Frames of one size; `planes` are T h w each, in the order of their layout.

    Frame k is shown from k / `rate` seconds on, or, at uneven times, from `ticks[k]` times `base`.
    `aspect` is the width of a pixel over its height.
    """

    planes: tuple[NDArray[np.uint8], ...]
    layout: str
    rate: Fraction
    base: Fraction
    ticks: list[int] | None = None
    colour: Colour = Colour()
    aspect: Fraction = Fraction(1)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, height and width."""
        t, h, w = self.planes[0].shape
        return t, h, w

    def meta(self) -> dict[str, Any]:
        """The description that `restored` needs to write a file."""
        return {
            "shape": list(self.shape),
            "layout": self.layout,
            "rate": pair(self.rate),
            "base": pair(self.base),
            "ticks": self.ticks,
            "colour": self.colour.plain(),
            "aspect": pair(self.aspect),
        }


def pair(value: Fraction) -> list[int]:
    """Numerator and denominator."""
    return [value.numerator, value.denominator]


def fraction(value: Any) -> Fraction:
    """A positive fraction from a meta.

    Raises:
        SignalError: an invalid fraction, or terms that are too large for FFmpeg.
    """
    if (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(type(n) is int and 0 < n < MAX_TERM for n in value)
    ):
        return Fraction(value[0], value[1])
    raise SignalError("video: invalid rate, time base or aspect in the header")


def check_size(shape: tuple[int, ...]) -> None:
    """Check that a clip is not too large.

    Raises:
        SignalError: a side or the number of pixels exceeds its limit.
    """
    if max(shape[1:]) > MAX_SIDE or prod(shape) > MAX_PIXELS:
        size = " by ".join(str(n) for n in shape)
        raise SignalError(
            f"video: {size} (frames, height, width) are more than {MAX_SIDE} pixels a side "
            f"or {MAX_PIXELS} in all; cut it into shorter clips"
        )


def checked(meta: Mapping[str, Any]) -> tuple[int, int, int]:
    """Frames, height and width of a checked meta.

    Raises:
        SignalError: an invalid meta, or a clip that is too large.
    """
    size, ticks, colour = (meta.get(key) for key in ("shape", "ticks", "colour"))
    if (
        not isinstance(size, list | tuple)
        or len(size) != 3
        or not all(type(n) is int and n > 0 for n in size)
        or meta.get("layout") not in list(LAYOUTS)  # a list: it may be unhashable
        or not isinstance(colour, list | tuple)
        or len(colour) != 5
        or not all(type(n) is int and 0 <= n < 256 for n in colour)
    ):
        raise SignalError(f"video: invalid header ({dict(meta)!r:.80})")
    for key in ("rate", "base", "aspect"):
        fraction(meta.get(key))
    shape = (size[0], size[1], size[2])
    check_size(shape)
    if ticks is not None and not (
        isinstance(ticks, list | tuple)
        and len(ticks) == shape[0]
        and all(type(n) is int and 0 <= n < 1 << 62 for n in ticks)
        and ticks[0] == 0
        and all(a < b for a, b in itertools.pairwise(ticks))
    ):
        raise SignalError("video: invalid header; times must ascend, one for every frame")
    return shape


def restored(planes: tuple[NDArray[np.uint8], ...], meta: Mapping[str, Any]) -> Clip:
    """The clip of these planes and a checked meta."""
    return Clip(
        planes,
        meta["layout"],
        fraction(meta["rate"]),
        fraction(meta["base"]),
        None if meta["ticks"] is None else list(meta["ticks"]),
        Colour(*meta["colour"]),
        fraction(meta["aspect"]),
    )
