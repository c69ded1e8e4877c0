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

from inrc.errors import SignalError
from inrc_modalities.video.boxes import unsupported
from inrc_modalities.video.clip import (
    LAYOUTS,
    MAX_PIXELS,
    MAX_SIDE,
    WORD,
    Clip,
    Colour,
    Layout,
    check_size,
)
from inrc_modalities.video.orientation import Orientation
from inrc_modalities.video.siting import CENTRE, chroma_siting
from inrc_modalities.video.structure import cut_short, sound_ffv1

ASPECT = "PIXEL_ASPECT"
"""Tag of a Matroska stream with the aspect of a pixel, which PyAV cannot put where it belongs."""

READ_ONLY = (".mov", ".m4v", ".avi", ".webm")
"""Common suffixes of files that are read but not written."""

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
_PROGRESSIVE = 1  # AV_FIELD_PROGRESSIVE; 0 is unknown, all others are interlaced
_DEINTERLACE = "deinterlace it first (ffmpeg -vf bwdif)"


def load(path: Path | io.BytesIO, limit: int | None = None) -> Clip:
    """Read the pictures of a video file as they are shown; sound is left out.

    Edit lists are applied, and pictures are turned and mirrored as their display matrix says.
    `limit` is how many frames to read at most. Bytes are read like a file.

    Raises:
        SignalError: missing, not a file, no video in it, no frames, damaged, cut short, too large,
            frames of several sizes, interlaced, with opacity, of more than 8 bits, cropped, or of
            a layout that is not one of LAYOUTS.
    """
    with opened(path) as (container, stream):
        return _clip(container, stream, limit)


@contextmanager
def opened(path: Path | io.BytesIO) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A file that is whole, and its only video; errors of FFmpeg become one line.

    Raises:
        SignalError: as `load`, for what shows before a frame is decoded.
    """
    name = str(path) if isinstance(path, Path) else "bytes"
    with _explained(name):
        if isinstance(path, io.BytesIO):
            with av.open(path, "r", options=_OPTIONS) as container:
                yield container, _stream(container)
            return
        with path.open("rb") as file:
            if not file.read(1):
                raise SignalError("an empty file, not a video")
            file.seek(0)
            short = cut_short(file)
            if short is not None:
                raise SignalError(f"cut short ({short}); fetch or make it again")
            reason = unsupported(file)
            if reason is not None:
                raise SignalError(reason)
            file.seek(0)
            with av.open(file, "r", options=_OPTIONS) as container:
                yield container, _stream(container)


def _clip(container: InputContainer, stream: VideoStream, limit: int | None) -> Clip:
    frames: list[list[NDArray[np.uint8]]] = []
    times: list[int | None] = []
    first: VideoFrame | None = None
    layout, orientation = "", Orientation()
    for frame in _decoded(container, stream):
        if first is None:
            first, layout, orientation = frame, layout_of(frame), Orientation.of(frame)
            orientation.check(layout, frame.height, frame.width)
        if (frame.width, frame.height, frame.format.name) != (
            first.width, first.height, first.format.name,
        ):  # fmt: skip
            raise SignalError(
                f"frame {len(frames)} is {frame.width} by {frame.height} {frame.format.name}, the "
                f"first {first.width} by {first.height} {first.format.name}; cut it there"
            )
        if frame.interlaced_frame:
            raise SignalError(f"frame {len(frames)} is interlaced; {_DEINTERLACE}")
        if Orientation.of(frame) != orientation:
            raise SignalError(
                f"frame {len(frames)} is turned in another way than the first; cut it there"
            )
        frames.append([orientation.apply(plane) for plane in _planes(frame, layout)])
        times.append(frame.pts)
        check_size((len(frames), frame.height, frame.width))
        if len(frames) == limit:
            break
    if first is None:
        raise SignalError("a video without frames; check it with ffprobe")
    shown = _shown(container, stream)
    if limit is None and len(frames) < shown:
        raise SignalError(
            f"only {len(frames)} of {shown} frames can be decoded; fetch or make the file again"
        )
    planes = tuple(np.stack([frame[i] for frame in frames]) for i in range(len(frames[0])))
    rate, base, ticks = _timing(stream, times)
    return Clip(
        planes,
        orientation.layout(layout),
        rate,
        base,
        ticks,
        _colour(first, stream, layout, orientation),
        _aspect(stream, orientation.transpose),
    )


def _shown(container: InputContainer, stream: VideoStream) -> int:
    """How many frames a file declares; 0 if it does not.

    In the index of MP4, edit lists are applied: what they hide is marked.
    """
    if "mp4" in container.format.name:
        return sum(not entry.is_discard for entry in stream.index_entries)
    return 0 if stream.codec.name == "rawvideo" else stream.frames


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
    """The only video; an attached picture, such as the cover of a record, is not one.

    Raises:
        SignalError: no video or several, one with opacity, interlaced, or too large.
    """
    streams = [stream for stream in container.streams.video if not is_picture(stream)]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        raise SignalError(f"no video in it (only: {', '.join(kinds) or 'nothing'})")
    if len(streams) > 1:
        raise SignalError(f"{len(streams)} videos in one file; save the one you want by itself")
    (stream,) = streams
    # VP8 and VP9 keep opacity in a second stream that FFmpeg's own decoders do not read
    if {key.lower(): value for key, value in stream.metadata.items()}.get("alpha_mode") == "1":
        raise SignalError("a video with opacity (alpha); flatten it on a background first")
    context = stream.codec_context
    if context is None:  # whatever the annotations of PyAV say
        raise SignalError("a video of a kind that cannot be decoded here; convert it to FFV1 first")
    if context.field_order > _PROGRESSIVE:
        raise SignalError(f"interlaced; {_DEINTERLACE}")
    if max(context.width, context.height) > MAX_SIDE:
        raise SignalError(
            f"{context.width} by {context.height} pixels, more than {MAX_SIDE} a side; scale it"
        )
    return stream


def is_picture(stream: VideoStream) -> bool:
    """Whether a stream is a picture that belongs to the whole file, as the cover of a record."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


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


def _colour(
    frame: VideoFrame, stream: VideoStream, layout: str, orientation: Orientation
) -> Colour:
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


def _aspect(stream: VideoStream, turned: bool) -> Fraction:
    aspect: Any = stream.sample_aspect_ratio or Fraction(1)
    width, _, height = stream.metadata.get(ASPECT, "").partition("/")
    height = height or "1"
    if all(word.isdecimal() and len(word) <= 10 for word in (width, height)) and int(height):
        aspect = Fraction(int(width), int(height))
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
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SignalError(f"{name}: not a video, or damaged ({reason})") from None
