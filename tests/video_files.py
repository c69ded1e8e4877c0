"""What tests of clips share."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from inrc_modalities.video.clip import LAYOUTS, Clip

FILM = Fraction(24000, 1001)


def smooth(layout: str = "yuv420p", shape: tuple[int, int, int] = (5, 22, 36), **tags: Any) -> Clip:
    """Waves that move, another in every plane."""
    planes = []
    for number, size in enumerate(LAYOUTS[layout].sizes(*shape[1:])):
        t, y, x = np.mgrid[: shape[0], : size[0], : size[1]]
        wave = np.sin(x / 5 + t / 3 + number) * np.cos(y / 7 + number)
        planes.append((128 + 80 * wave).astype(np.uint8))
    made = Clip(tuple(planes), layout, Fraction(25), Fraction(1, 1000))
    return replace(made, **tags)


def noise(layout: str, shape: tuple[int, int, int], seed: int = 0) -> Clip:
    """Every level in every plane."""
    rng = np.random.default_rng(seed)
    sizes = LAYOUTS[layout].sizes(*shape[1:])
    planes = tuple(rng.integers(0, 256, (shape[0], *size), dtype=np.uint8) for size in sizes)
    return Clip(planes, layout, Fraction(25), Fraction(1, 1000))


def same_planes(a: Clip, b: Clip) -> bool:
    return len(a.planes) == len(b.planes) and all(map(np.array_equal, a.planes, b.planes))


def encoded(
    path: Path, frames: Iterator[VideoFrame], codec: str, rate: int = 25, **settings: Any
) -> Path:
    """A file that this project did not write."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=settings.get("options", {}))
        assert isinstance(stream, VideoStream)
        first = next(frames)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, first.format.name
        if "rotation" in settings:
            stream.set_display_rotation(settings["rotation"])
        number = 0
        frame: VideoFrame | None = first
        while frame is not None:
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
            number += 1
            frame = next(frames, None)
        container.mux(stream.encode(None))
    return path


def plain(name: str, count: int = 4, height: int = 32, width: int = 48) -> Iterator[VideoFrame]:
    """Frames in any of FFmpeg's layouts."""
    for number in range(count):
        array = np.zeros((height, width, 3), np.uint8)
        array[: height // 2] = (200, 30 + 20 * number, 90)
        yield VideoFrame.from_ndarray(array, format="rgb24").reformat(format=name)
