"""Frames of FFmpeg (PyAV): their layout, planes, colours and aspect."""

from fractions import Fraction
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.video.clip import LAYOUTS, MAX_PIXELS, MAX_TERM, Colour, check_size
from inrc_modalities.video.orientation import Orientation
from inrc_modalities.video.siting import CENTRE, chroma_siting

ASPECT = "PIXEL_ASPECT"
"""Tag of a Matroska stream with the aspect of a pixel; PyAV cannot set the element of Matroska."""

# FFmpeg's names to ours; the j of the deprecated names means the full range
_NAMES = {
    **{name: name for name in LAYOUTS if name != "rgb"},
    **{f"yuvj{n}p": f"yuv{n}p" for n in (420, 422, 440, 444)},
    **dict.fromkeys(("gbrp", "rgb24", "bgr24", "rgb0", "bgr0", "0rgb", "0bgr"), "rgb"),
}
# ISO/IEC 23091-2: YCgCo, Y'D'ZDX, constant luminance, ICtCp and later need other formulas than ours
_MATRICES = (0, 1, 2, 4, 5, 6, 7, 9)


def layout_of(frame: VideoFrame) -> str:
    """The layout in which the pixels of a frame are kept.

    Raises:
        SignalError: pixels of another kind, too many of them, or colours of an unknown kind.
    """
    name = frame.format.name
    if name not in _NAMES:
        deep = max(part.bits for part in frame.format.components) > 8
        reason = "more than 8 bits a sample" if deep else "opacity, a palette or unusual chroma"
        raise SignalError(
            f"pixels of kind {name} ({reason}); convert it first (ffmpeg -pix_fmt yuv420p)"
        )
    if frame.width * frame.height > MAX_PIXELS:
        check_size((1, frame.height, frame.width))
    if int(frame.colorspace) not in _MATRICES:
        raise SignalError(
            f"colour matrix {int(frame.colorspace)} (ISO/IEC 23091-2) is not supported; "
            "convert it first (ffmpeg -vf scale=out_color_matrix=bt709)"
        )
    return _NAMES[name]


def planes_of(frame: VideoFrame, layout: str) -> list[NDArray[np.uint8]]:
    """Copies of the planes, without padding."""
    if layout == "rgb":
        if frame.format.name != "gbrp":
            pixels = frame.to_ndarray(format="rgb24")
            return [np.ascontiguousarray(pixels[..., i]) for i in range(3)]
        green, blue, red = (_plane(frame, i, frame.height, frame.width) for i in range(3))
        return [red, green, blue]
    sizes = LAYOUTS[layout].sizes(frame.height, frame.width)
    return [_plane(frame, i, height, width) for i, (height, width) in enumerate(sizes)]


def _plane(frame: VideoFrame, number: int, height: int, width: int) -> NDArray[np.uint8]:
    plane = frame.planes[number]
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return lines[:height, :width].copy()


def colour_of(
    frame: VideoFrame, stream: VideoStream, layout: str, orientation: Orientation
) -> Colour:
    """The tags of colour; the siting of chroma that is turned has no number, unless central."""
    full = frame.format.name.startswith("yuvj")
    matrix = int(frame.colorspace)
    siting = chroma_siting(stream) if max(LAYOUTS[layout].down) > 1 else 0
    return Colour(
        2 if full else int(frame.color_range),
        2 if layout == "rgb" or matrix == 0 else matrix,
        int(frame.color_primaries),
        int(frame.color_trc),
        siting if orientation == Orientation() or siting == CENTRE else 0,
    )


def aspect_of(stream: VideoStream, turned: bool) -> Fraction:
    """Width of a pixel over its height; `turned` if rows have become columns."""
    aspect: Any = stream.sample_aspect_ratio or Fraction(1)
    width, _, height = stream.metadata.get(ASPECT, "").partition("/")
    height = height or "1"
    if all(word.isdecimal() and len(word) <= 10 for word in (width, height)) and int(height):
        aspect = Fraction(int(width), int(height))
    if not (aspect > 0 and max(aspect.numerator, aspect.denominator) < MAX_TERM):
        aspect = Fraction(1)
    return 1 / Fraction(aspect) if turned else Fraction(aspect)
