"""What tests of clips share."""

import struct
from collections.abc import Iterator, Sequence
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


def box(name: bytes, *parts: bytes) -> bytes:
    """A box of MP4."""
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, name) + content


def with_box(data: bytes, path: tuple[bytes, ...], made: bytes, skip: int = 0) -> bytes:
    """An MP4 whose box at a path, after `skip` bytes of its content, begins with another box.

    If the path ends with the name of that box, it replaces the one that is there.
    """
    at, sizes, end = 0, [], len(data)
    for name in path:
        while data[at + 4 : at + 8] != name:
            at += int.from_bytes(data[at : at + 4], "big")
            assert at < end
        sizes.append(at)
        end = at + int.from_bytes(data[at : at + 4], "big")
        at += 8 + (8 if name == b"stsd" else 0)
    replaced = made[4:8] == path[-1]
    begin, stop = (sizes.pop(), end) if replaced else (at + skip, at + skip)
    result = bytearray(data[:begin] + made + data[stop:])
    for start in sizes:
        size = int.from_bytes(data[start : start + 4], "big") + len(made) - (stop - begin)
        result[start : start + 4] = size.to_bytes(4, "big")
    return bytes(result)


def edited(data: bytes, edits: Sequence[tuple[int, int, float]]) -> bytes:
    """An MP4 with an edit list: milliseconds, first tick (-1 for none), speed."""
    entries = [struct.pack(">Iii", ms, tick, round(speed * 65536)) for ms, tick, speed in edits]
    table = box(b"elst", struct.pack(">II", 0, len(edits)), *entries)
    return with_box(data, (b"moov", b"trak", b"edts"), box(b"edts", table))


def numbered(path: Path, count: int = 24, between: int = 0) -> tuple[bytes, int, int]:
    """An MP4 whose frame k has about level 16 + 9 k, 12 a second, with key frames 0, 8, 16.

    `between` is how many B-frames may follow each other. Also gives ticks per frame, and the tick
    of the first frame, which its edit list begins with.
    """
    options = {"g": "8", "keyint_min": "8", "bf": str(between), "sc_threshold": "0"}
    planes = (np.full((48, 48), 16 + 9 * k, np.uint8) for k in range(count))  # chroma below luma
    frames = (VideoFrame.from_ndarray(plane, "yuv420p") for plane in planes)
    encoded(path, frames, "libx264", 12, options=options)
    data = path.read_bytes()
    entry = data.index(b"elst") + 12
    with av.open(str(path)) as container:
        base = container.streams.video[0].time_base
    assert base is not None
    return data, int(Fraction(1, 12) / base), int.from_bytes(data[entry + 4 : entry + 8], "big")
