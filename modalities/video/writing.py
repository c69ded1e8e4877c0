"""Clips to video files: FFV1 in Matroska and raw YUV4MPEG2, lossless; H.264 in MP4, nearly so."""

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from inrc.errors import SignalError, one_line
from inrc_modalities.video.clip import LAYOUTS, Clip
from inrc_modalities.video.frames import ASPECT
from inrc_modalities.video.pixels import as_yuv
from inrc_modalities.video.siting import NAMES as SITINGS

CRF = 6
"""Constant rate factor of MP4 files: at 6, the mean error of x264 is half a level (measured), and
its files play everywhere; those of its lossless profile do not."""

_FFV1 = {"level": "3", "slicecrc": "1", "g": "1", "context": "1"}
_TINY_FFV1 = {"level": "1", "g": "1", "context": "1"}  # slices fail on some small sides (4 x 7)
_X264 = {"crf": str(CRF), "preset": "medium", "threads": "1"}
# FFmpeg's Y4M names; C420mpeg2 has chroma to the left, as MPEG-2 and H.264 do
_Y4M = {"yuv420p": "420mpeg2", "yuv422p": "422", "yuv444p": "444", "gray": "mono"}
_Y4M_SITINGS = {2: "420jpeg", 3: "420paldv"}
_RANGES = {1: " XCOLORRANGE=LIMITED", 2: " XCOLORRANGE=FULL"}


def save(clip: Clip, path: Path) -> None:
    """Write a video file, in the format of the suffix.

    Raises:
        SignalError: an unknown suffix, a clip that the format cannot hold, or a failing disk.
    """
    write = FORMATS.get(path.suffix.lower())
    if write is None:
        raise SignalError(f"{path}: cannot write {path.suffix!r}; use one of {', '.join(FORMATS)}")
    try:
        write(clip, path)
    except SignalError as error:
        path.unlink(missing_ok=True)
        raise SignalError(f"{path}: {error}") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        path.unlink(missing_ok=True)
        raise SignalError(
            f"{path}: cannot be written ({one_line(error)}); check the folder and the disk"
        ) from None


def _mkv(clip: Clip, path: Path) -> None:
    options = _FFV1 if min(clip.shape[1:]) >= 16 else _TINY_FFV1
    name = "bgr0" if clip.layout == "rgb" else clip.layout
    tags = {} if clip.aspect == 1 else {ASPECT: str(clip.aspect)}
    with av.open(str(path), "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        feed(container, clip, "ffv1", name, options, tags)


def _mp4(clip: Clip, path: Path) -> None:
    clip = as_yuv(clip) if clip.layout == "rgb" else clip
    down = LAYOUTS[clip.layout].down
    if clip.layout == "yuv440p":
        raise SignalError("H.264 has no 4:4:0 chroma; write .mkv")
    if clip.shape[1] % down[0] or clip.shape[2] % down[1]:
        raise SignalError("H.264 with subsampled chroma needs an even width and height; write .mkv")
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        feed(container, clip, "libx264", clip.layout, _X264, {})


def _y4m(clip: Clip, path: Path) -> None:
    """As in yuv4mpeg(5) of mjpegtools, with the range as FFmpeg writes it."""
    if clip.layout not in _Y4M:
        raise SignalError(f"YUV4MPEG2 has no {clip.layout} pixels; write .mkv")
    if clip.ticks is not None:
        raise SignalError("YUV4MPEG2 has no frames at uneven times; write .mkv")
    _, height, width = clip.shape
    rate, aspect, name = clip.rate, clip.aspect, _Y4M[clip.layout]
    if clip.layout == "yuv420p":
        name = _Y4M_SITINGS.get(clip.colour.siting, name)
    header = (
        f"YUV4MPEG2 W{width} H{height} F{rate.numerator}:{rate.denominator} Ip "
        f"A{aspect.numerator}:{aspect.denominator} C{name}"
        f"{_RANGES.get(clip.colour.range, '')}\n"
    )
    with path.open("wb") as file:
        file.write(header.encode())
        for planes in zip(*clip.planes, strict=True):
            file.write(b"FRAME\n" + b"".join(plane.tobytes() for plane in planes))


FORMATS: Mapping[str, Callable[[Clip, Path], None]] = {".mkv": _mkv, ".mp4": _mp4, ".y4m": _y4m}


def feed(
    container: OutputContainer,
    clip: Clip,
    codec: str,
    name: str,
    options: Mapping[str, str],
    tags: Mapping[str, str],
) -> None:
    """Encode all frames of a clip as the only stream of a container."""
    siting = SITINGS.get(clip.colour.siting)
    options = dict(options) if siting is None else {"chroma_sample_location": siting, **options}
    stream = container.add_stream(codec, rate=clip.rate, options=options)
    assert isinstance(stream, VideoStream)
    _, height, width = clip.shape
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = width, height, name
    context.color_range, context.colorspace = clip.colour.range, clip.colour.matrix
    context.color_primaries, context.color_trc = clip.colour.primaries, clip.colour.transfer
    context.sample_aspect_ratio = clip.aspect
    context.bit_rate = 0
    stream.metadata.update(tags)
    times: Iterable[int] = range(clip.shape[0]) if clip.ticks is None else clip.ticks
    context.time_base = 1 / clip.rate if clip.ticks is None else clip.base
    # a hint, as Matroska has its own; frames must be at whole numbers of the base
    exact = clip.ticks is not None or (1 / clip.rate / clip.base).denominator == 1
    stream.time_base = clip.base if exact else 1 / clip.rate
    for planes, time in zip(zip(*clip.planes, strict=True), times, strict=True):
        frame = _frame(planes, name)
        frame.pts, frame.time_base = time, Fraction(context.time_base)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _frame(planes: tuple[NDArray[np.uint8], ...], name: str) -> VideoFrame:
    height, width = planes[0].shape
    frame = VideoFrame(width, height, name)
    if name == "bgr0":
        pixels = np.stack([planes[2], planes[1], planes[0], np.zeros_like(planes[0])], axis=-1)
        planes = (pixels.reshape(height, 4 * width),)
    for target, plane in zip(frame.planes, planes, strict=True):
        lines = np.frombuffer(memoryview(target), np.uint8).reshape(-1, target.line_size)
        lines[: plane.shape[0], : plane.shape[1]] = plane
    return frame
