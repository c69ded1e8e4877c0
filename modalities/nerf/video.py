"""Views in order, as a video: a turntable to look at, and HEVC to compare with."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError

RATE = 12
"""Frames per second: the 24 frames of the default turntable take two seconds."""


@dataclass(frozen=True)
class Coding:
    """A video codec, its pixel format, and what sides must be a multiple of."""

    codec: str
    pixels: str
    multiple: int
    options: Mapping[str, str] = field(default_factory=dict)


FORMATS = {
    # H.264 with halved colours is what every player opens; 17 is hardly seen beside the original
    ".mp4": Coding("libx264", "yuv420p", 2, {"crf": "17"}),
    ".mkv": Coding("ffv1", "bgr0", 1),  # lossless
}


def save(levels: NDArray[np.uint8], path: Path) -> None:
    """Write views V H W 3 as a video, format by suffix."""
    try:
        path.write_bytes(encode(levels, FORMATS[path.suffix.lower()], _container(path)))
    except (OSError, av.FFmpegError) as error:
        raise SignalError(f"{path}: cannot be written ({error})") from None


def encode(levels: NDArray[np.uint8], coding: Coding, container: str) -> bytes:
    """A video of views V H W 3; the last row or column is repeated where a side does not fit."""
    height, width = levels.shape[1:3]
    more = [-side % coding.multiple for side in (height, width)]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(coding.codec, rate=Fraction(RATE), options=dict(coding.options))
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = height + more[0], width + more[1]
        stream.pix_fmt = coding.pixels
        for view in levels:
            padded = np.pad(view, ((0, more[0]), (0, more[1]), (0, 0)), mode="edge")
            file.mux(stream.encode(av.VideoFrame.from_ndarray(padded, format="rgb24")))
        file.mux(stream.encode())
    return buffer.getvalue()


def decode(data: bytes, height: int, width: int, container: str) -> NDArray[np.uint8]:
    """The views V H W 3 of `encode`."""
    with av.open(io.BytesIO(data), "r", format=container) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    return np.stack([frame[:height, :width] for frame in frames])


def _container(path: Path) -> str:
    return "matroska" if path.suffix.lower() == ".mkv" else "mp4"
