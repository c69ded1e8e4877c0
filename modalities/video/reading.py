"""Video files to clips, through FFmpeg (PyAV), believing nothing that a header says."""

import io
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from inrc.errors import SignalError, one_line
from inrc_modalities.video.clip import (
    LAYOUTS,
    PIXELS,
    SIDE,
    WORD,
    Clip,
    Colour,
    Layout,
    check_size,
)
from inrc_modalities.video.structure import cut_short, sound_ffv1

ASPECT = "PIXEL_ASPECT"
"""Tag of a Matroska stream with the aspect of a pixel, which PyAV cannot put where it belongs."""

# the formats that FFmpeg may take a file for: none that names other files or addresses
_FORMATS = "matroska,webm,mov,mp4,yuv4mpegpipe,avi,mpegts,mpeg,ivf,h264,hevc,obu"
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
# FFmpeg's names to ours; the j of old stands for the full range
_NAMES = {
    **{name: name for name in LAYOUTS if name != "rgb"},
    **{f"yuvj{n}p": f"yuv{n}p" for n in (420, 422, 440, 444)},
    **dict.fromkeys(("gbrp", "rgb24", "bgr24", "rgb0", "bgr0", "0rgb", "0bgr"), "rgb"),
}
# ISO/IEC 23091-2: YCgCo, Y'D'ZDX, constant luminance, ICtCp and later need other formulas than ours
_MATRICES = (0, 1, 2, 4, 5, 6, 7, 9)


def load(path: Path | io.BytesIO, limit: int | None = None) -> Clip:
    """Read the pictures of a video file, turned as its display matrix says; sound is left out.

    `limit` is how many frames to read at most. Bytes are read like a file.

    Raises:
        SignalError: missing, not a file, no video in it, no frames, damaged, cut short, too large,
            frames of several sizes, interlaced, with opacity, of more than 8 bits, or of a layout
            that is not one of LAYOUTS.
    """
    name = str(path) if isinstance(path, Path) else "bytes"
    with _explained(name):
        if isinstance(path, io.BytesIO):
            with av.open(path, "r", options=_OPTIONS) as container:
                return _clip(container, limit)
        with path.open("rb") as file:
            if not file.read(1):
                raise SignalError("an empty file, not a video")
            file.seek(0)
            short = cut_short(file)
            if short is not None:
                raise SignalError(f"cut short ({short}); fetch or make it again")
            file.seek(0)
            with av.open(file, "r", options=_OPTIONS) as container:
                return _clip(container, limit)


def _clip(container: InputContainer, limit: int | None) -> Clip:
    stream = _stream(container)
    context = stream.codec_context
    if max(context.width, context.height) > SIDE:
        raise SignalError(f"{context.width} by {context.height} pixels, more than {SIDE} a side")
    frames: list[list[NDArray[np.uint8]]] = []
    times: list[int | None] = []
    first: VideoFrame | None = None
    layout, turns = "", 0
    for frame in _decoded(container, stream):
        if first is None:
            first = frame
            layout = _layout(frame)
            turns = _turns(frame)
        if (frame.width, frame.height, frame.format.name) != (
            first.width, first.height, first.format.name,
        ):  # fmt: skip
            raise SignalError(
                f"frame {len(frames)} is {frame.width} by {frame.height} {frame.format.name}, the "
                f"first {first.width} by {first.height} {first.format.name}; cut it there"
            )
        if frame.interlaced_frame:
            raise SignalError(
                f"frame {len(frames)} is interlaced; deinterlace it first (ffmpeg -vf bwdif)"
            )
        frames.append([np.rot90(plane, turns) for plane in _planes(frame, layout)])
        times.append(frame.pts)
        check_size((len(frames), frame.height, frame.width))
        if len(frames) == limit:
            break
    if first is None:
        raise SignalError("a video of no frames")
    if limit is None and stream.codec.name != "rawvideo" and len(frames) < stream.frames:
        raise SignalError(f"{len(frames)} frames can be decoded of {stream.frames}; it is damaged")
    planes = tuple(np.stack([frame[i] for frame in frames]) for i in range(len(frames[0])))
    rate, base, ticks = _timing(stream, times)
    if turns % 2:
        layout = {"yuv422p": "yuv440p", "yuv440p": "yuv422p"}.get(layout, layout)
    return Clip(
        planes, layout, rate, base, ticks, _colour(first, layout), _aspect(stream, turns % 2 == 1)
    )


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Frames in the order of their times, none of them with concealed errors."""
    checked = stream.codec.name == "ffv1"
    for number, packet in enumerate(container.demux(stream)):
        if packet.is_corrupt or (checked and not sound_ffv1(bytes(packet))):
            raise SignalError(f"packet {number} is damaged; fetch or make the file again")
        for frame in packet.decode():
            assert isinstance(frame, VideoFrame)
            if frame.is_corrupt:
                raise SignalError("a frame is damaged; fetch or make the file again")
            yield frame


def _stream(container: InputContainer) -> VideoStream:
    """The one that is not a picture of a record's sleeve."""
    streams = [
        s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic
    ]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        raise SignalError(f"no video in it (only: {', '.join(kinds) or 'nothing'})")
    if len(streams) > 1:
        raise SignalError(f"{len(streams)} videos in one file; save the one you want by itself")
    return streams[0]


def _layout(frame: VideoFrame) -> str:
    name = frame.format.name
    if name not in _NAMES:
        deep = max(part.bits for part in frame.format.components) > 8
        reason = "more than 8 bits a sample" if deep else "opacity, a palette or unusual chroma"
        raise SignalError(
            f"pixels of kind {name} ({reason}); convert it first (ffmpeg -pix_fmt yuv420p)"
        )
    if frame.width * frame.height > PIXELS:
        check_size((1, frame.height, frame.width))
    if int(frame.colorspace) not in _MATRICES:
        raise SignalError(f"colours of kind {int(frame.colorspace)} (ISO/IEC 23091-2) are unknown")
    return _NAMES[name]


def _planes(frame: VideoFrame, layout: str) -> list[NDArray[np.uint8]]:
    """Copies of the planes, without the bytes that align them."""
    form: Layout = LAYOUTS[layout]
    if layout == "rgb":
        if frame.format.name != "gbrp":
            pixels = frame.to_ndarray(format="rgb24")
            return [np.ascontiguousarray(pixels[..., i]) for i in range(3)]
        green, blue, red = (_plane(frame, i, frame.height, frame.width) for i in range(3))
        return [red, green, blue]
    sizes = form.sizes(frame.height, frame.width)
    return [_plane(frame, i, height, width) for i, (height, width) in enumerate(sizes)]


def _plane(frame: VideoFrame, number: int, height: int, width: int) -> NDArray[np.uint8]:
    plane = frame.planes[number]
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return lines[:height, :width].copy()


def _turns(frame: VideoFrame) -> int:
    """Quarter turns to the left that the display matrix asks for."""
    turns, rest = divmod(round(frame.rotation), 90)
    if rest:
        raise SignalError(f"to be turned by {frame.rotation} degrees; turn its pixels first")
    return turns % 4


def _timing(
    stream: VideoStream, times: list[int | None]
) -> tuple[Fraction, Fraction, list[int] | None]:
    """Frame rate and time base, and the times of frames that no rate explains."""
    base = Fraction(stream.time_base or Fraction(1, 1000))
    rates = [
        Fraction(rate).limit_denominator(WORD - 1)
        for rate in (stream.guessed_rate, stream.average_rate, stream.base_rate)
        if rate is not None and 0 < rate < WORD
    ]
    known = [time for time in times if time is not None]
    if len(known) < len(times):  # bare streams have no times, only a rate
        return (rates or [Fraction(25)])[0], base, None
    ticks = [time - known[0] for time in known]
    for rate in rates:
        # a container rounds to its time base, up or down
        if all(abs(tick * base - k / rate) <= base for k, tick in enumerate(ticks)):
            return rate, base, None
    if any(a >= b for a, b in itertools.pairwise(ticks)):
        raise SignalError("its frames are not in the order of their times; remux it first")
    mean = (len(ticks) - 1) / (ticks[-1] * base) if len(ticks) > 1 else Fraction(25)
    return mean.limit_denominator(1000), base, ticks


def _colour(frame: VideoFrame, layout: str) -> Colour:
    full = frame.format.name.startswith("yuvj")
    matrix = int(frame.colorspace)
    return Colour(
        2 if full else int(frame.color_range),
        2 if layout == "rgb" or matrix == 0 else matrix,
        int(frame.color_primaries),
        int(frame.color_trc),
    )


def _aspect(stream: VideoStream, turned: bool) -> Fraction:
    aspect: Any = stream.sample_aspect_ratio or Fraction(1)
    tag = stream.metadata.get(ASPECT, "")
    if tag:
        aspect = Fraction(tag)
    if not (aspect > 0 and max(aspect.numerator, aspect.denominator) < WORD):
        aspect = Fraction(1)
    return 1 / Fraction(aspect) if turned else Fraction(aspect)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn whatever FFmpeg raises into one line that names the file."""
    try:
        yield
    except SignalError as error:
        raise SignalError(f"{name}: {error}") from None
    except FileNotFoundError:
        raise SignalError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise SignalError(f"{name}: a folder, not a video file") from None
    except PermissionError:
        raise SignalError(f"{name}: may not be read (permission denied)") from None
    except (av.error.FFmpegError, OSError, ValueError, ZeroDivisionError) as error:
        reason = one_line(error)
        raise SignalError(f"{name}: not a video, or damaged ({reason})") from None
