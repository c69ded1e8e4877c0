"""Video files to clips, through FFmpeg (PyAV)."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.files import explained
from inrc_modalities.video.boxes import unsupported
from inrc_modalities.video.clip import MAX_SIDE, Clip, check_size
from inrc_modalities.video.frames import aspect_of, colour_of, layout_of, planes_of
from inrc_modalities.video.orientation import Orientation
from inrc_modalities.video.structure import cut_short, sound_ffv1
from inrc_modalities.video.timing import even_or_ticks

READ_ONLY = (".mov", ".m4v", ".avi", ".webm")
"""Common suffixes of files that are read but not written."""

# formats that FFmpeg may read a file as; those that name other files or addresses are left out
_FORMATS = "matroska,webm,mov,mp4,yuv4mpegpipe,avi,mpegts,mpeg,ivf,h264,hevc,obu"
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
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
    with explained(path if isinstance(path, Path) else Path("bytes"), "a video"):
        if isinstance(path, io.BytesIO):
            with av.open(path, "r", options=_OPTIONS) as container:
                yield container, _stream(container)
            return
        with path.open("rb") as file:
            if not file.read(1):
                raise SignalError("an empty file; make it again")
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
        frames.append([orientation.apply(plane) for plane in planes_of(frame, layout)])
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
    rate, base, ticks = even_or_ticks(stream, times)
    return Clip(
        planes,
        orientation.layout(layout),
        rate,
        base,
        ticks,
        colour_of(first, stream, layout, orientation),
        aspect_of(stream, orientation.transpose),
    )


def _shown(container: InputContainer, stream: VideoStream) -> int:
    """How many frames a file declares; 0 if it does not.

    The index of MP4 and AVI is exact where a count in the header is not: frames that an edit list
    hides are marked in it, and pauses of AVI, which repeat a frame, are absent.
    """
    if {"mp4", "avi"} & set(container.format.name.split(",")):
        return sum(not entry.is_discard for entry in stream.index_entries)
    return 0 if stream.codec.name == "rawvideo" else stream.frames


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Frames in the order of their times.

    Raises:
        SignalError: a damaged packet or frame, whose errors FFmpeg would conceal.
    """
    checked = stream.codec.name == "ffv1"
    for number, packet in enumerate(container.demux(stream)):
        if packet.is_corrupt or (checked and not sound_ffv1(bytes(packet))):
            raise SignalError(f"packet {number} is damaged; fetch or make the file again")
        for frame in packet.decode():
            assert isinstance(frame, VideoFrame)
            if frame.is_corrupt:
                raise SignalError("a damaged frame; fetch or make the file again")
            yield frame


def _stream(container: InputContainer) -> VideoStream:
    """The only video; an attached picture, such as the cover of a record, is not one.

    Raises:
        SignalError: no video or several, one with opacity, interlaced, or too large.
    """
    streams = [stream for stream in container.streams.video if not is_picture(stream)]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        raise SignalError(
            f"no video in it (only: {', '.join(kinds) or 'nothing'}); name a video file"
        )
    if len(streams) > 1:
        raise SignalError(f"{len(streams)} videos in one file; extract one of them")
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
