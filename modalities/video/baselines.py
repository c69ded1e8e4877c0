"""The usual codecs for video: H.264, H.265 and AV1, by x264, x265 and SVT-AV1.

All are tuned for PSNR, with slow presets. Only the bare stream is counted, without a container and
without the encoder's comment: nothing that a decoder does not need.
"""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.signal import Baseline
from inrc_modalities.video.clip import LAYOUTS, Clip
from inrc_modalities.video.pixels import as_yuv, averaged, repeated
from inrc_modalities.video.reading import load
from inrc_modalities.video.writing import feed, save


@dataclass(frozen=True)
class Codec:
    """An encoder of FFmpeg as a baseline.

    Args:
        name: its usual name.
        encoder: its name in FFmpeg.
        muxer: FFmpeg's format of its bare stream.
        crfs: constant rate factors to try, in order of increasing rate.
        layouts: layouts that it encodes; others are converted to 4:2:0.
        options: all other options of the encoder.
        drop: bitstream filter that removes data that no decoder needs.
        min_side: smallest width and height.
    """

    name: str
    encoder: str
    muxer: str
    crfs: tuple[float, ...]
    layouts: tuple[str, ...]
    options: Mapping[str, str]
    drop: str | None = None
    min_side: int = 16

    def encode(self, original: Path, quality: float) -> bytes:
        """Encode a clip to a bare stream."""
        clip = self._prepared(load(original))
        buffer = io.BytesIO()
        options = {"crf": f"{quality:g}", **self.options}
        os.environ.setdefault("SVT_LOG", "1")  # errors only: it writes to stderr itself
        with av.open(buffer, "w", format=self.muxer, options={"fflags": "+bitexact"}) as container:
            feed(container, clip, self.encoder, clip.layout, options, {})
        data = buffer.getvalue()
        return data if self.drop is None else _filtered(data, self.muxer, self.drop)

    def decode(self, data: bytes, original: Path, decoded: Path) -> None:
        """Write the decoded stream as a native file.

        The times of the frames are those of the original. Size and colours are those of the stream,
        without its padding.

        Raises:
            SignalError: a stream with another number of frames.
        """
        wanted = load(original)
        clip = load(io.BytesIO(data))
        if clip.shape[0] != wanted.shape[0]:
            raise SignalError(
                f"{original}: {self.name} gives {clip.shape[0]} frames, not {wanted.shape[0]}"
            )
        planes = tuple(
            np.ascontiguousarray(plane[:, :height, :width])
            for plane, (height, width) in zip(
                clip.planes, LAYOUTS[clip.layout].sizes(*wanted.shape[1:]), strict=False
            )
        )
        cut = replace(
            wanted,
            planes=planes,
            layout=clip.layout,
            colour=self._prepared(wanted).colour,
        )
        save(cut, decoded)

    def _prepared(self, clip: Clip) -> Clip:
        """A clip in a layout and a size that the encoder supports."""
        clip = as_yuv(clip) if clip.layout == "rgb" else clip
        clip = clip if clip.layout in self.layouts else as_420(clip)
        _, height, width = clip.shape
        even = max(-(-height // 2) * 2, self.min_side), max(-(-width // 2) * 2, self.min_side)
        sizes = LAYOUTS[clip.layout].sizes(*even)
        planes = tuple(
            np.pad(
                plane,
                ((0, 0), (0, size[0] - plane.shape[1]), (0, size[1] - plane.shape[2])),
                mode="edge",
            )
            for plane, size in zip(clip.planes, sizes, strict=True)
        )
        # at even times: the bits of uneven times are not compared
        return replace(clip, planes=planes, ticks=None, base=1 / clip.rate)


def as_420(clip: Clip) -> Clip:
    """A clip with chroma of half the resolution; that of a grey clip is neutral."""
    _, height, width = clip.shape
    sizes = LAYOUTS["yuv420p"].sizes(height, width)
    if clip.layout == "gray":
        neutral = np.full((clip.shape[0], *sizes[1]), 128, np.uint8)
        return replace(clip, planes=(clip.planes[0], neutral, neutral), layout="yuv420p")
    down = LAYOUTS[clip.layout].down

    def halved(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        mean = averaged(repeated(frame, down, (height, width)).astype(np.float64), (2, 2))
        return np.floor(mean + 0.5).astype(np.uint8)

    hues = [np.stack([halved(frame) for frame in plane]) for plane in clip.planes[1:]]
    return replace(clip, planes=(clip.planes[0], *hues), layout="yuv420p")


def standard_codecs() -> list[Baseline]:
    """H.264, H.265 and AV1, as baselines."""
    return [Baseline(c.name, "CRF", c.crfs, c.encode, c.decode) for c in CODECS]


def _filtered(data: bytes, muxer: str, drop: str) -> bytes:
    """A bare stream after a bitstream filter."""
    buffer = io.BytesIO()
    with av.open(io.BytesIO(data), "r") as source:
        stream = source.streams.video[0]
        chain = BitStreamFilterContext(drop, stream)
        packets = [p for packet in source.demux(stream) for p in chain.filter(packet)]
        for packet in [*packets, *chain.filter(None)]:
            buffer.write(bytes(packet))
    return buffer.getvalue()


_H264 = tuple(float(n) for n in range(51, 5, -3))
_H265 = tuple(float(n) for n in range(51, 5, -3))
_AV1 = (63.0, 59.0, 55.0, 51.0, 47.0, 43.0, 39.0, 35.0, 31.0, 27.0, 23.0, 19.0, 15.0, 11.0, 7.0)

CODECS = (
    Codec(
        "H.264 (x264)",
        "libx264",
        "h264",
        _H264,
        ("yuv420p", "yuv422p", "yuv444p", "gray"),
        {"preset": "veryslow", "tune": "psnr", "threads": "1"},
        drop="filter_units=remove_types=6",
    ),
    Codec(
        "H.265 (x265)",
        "libx265",
        "hevc",
        _H265,
        ("yuv420p", "yuv422p", "yuv444p", "gray"),
        {
            "preset": "slower",
            "tune": "psnr",
            "x265-params": "info=0:pools=none:frame-threads=1:log-level=none",
        },
        min_side=64,  # x265 4.2 writes past its memory where a picture is smaller than a block
    ),
    Codec(
        "AV1 (SVT-AV1)",
        "libsvtav1",
        "obu",
        _AV1,
        ("yuv420p",),
        {"preset": "3", "svtav1-params": "tune=1:lp=1"},
        min_side=64,
    ),
)
"""Slow presets, but not the slowest."""
