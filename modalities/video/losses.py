"""What a video file holds beside the pictures that are kept."""

from collections import Counter
from fractions import Fraction
from itertools import islice
from pathlib import Path

from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from inrc.errors import SignalError
from inrc_modalities.video.clip import LAYOUTS
from inrc_modalities.video.frames import ASPECT, layout_of
from inrc_modalities.video.orientation import Orientation
from inrc_modalities.video.reading import is_picture, opened
from inrc_modalities.video.siting import CENTRE, chroma_siting

_KINDS = {
    "audio": "sound track",
    "subtitle": "subtitle track",
    "data": "data track",
    "attachment": "attachment",
}
_EXTRAS = {
    Type.A53_CC: "closed captions",
    Type.STEREO3D: "stereoscopic layout",
    Type.SPHERICAL: "spherical projection",
    Type.MASTERING_DISPLAY_METADATA: "HDR metadata",
    Type.CONTENT_LIGHT_LEVEL: "HDR metadata",
    Type.DYNAMIC_HDR_PLUS: "HDR metadata",
    Type.DYNAMIC_HDR_VIVID: "HDR metadata",
    Type.DOVI_METADATA: "HDR metadata",
    Type.GOP_TIMECODE: "time code",
    Type.S12M_TIMECODE: "time code",
    Type.ICC_PROFILE: "ICC profile",
    Type.AFD: "active format",
    Type.PANSCAN: "pan and scan",
}
# tags about the file itself: FFmpeg and mkvmerge write them, and make new ones for a new file
_TECHNICAL = {
    "alpha_mode", "bps", "compatible_brands", "duration", "encoder", "handler_name",
    "major_brand", "minor_version", "number_of_bytes", "number_of_frames", "vendor_id",
}  # fmt: skip
_UNKNOWN_LANGUAGE = "und"
_FIRST = 8  # frames whose metadata is looked at
_COUNTED_FROM_ANYWHERE = ("mpegts", "mpeg")  # formats whose times do not begin near 0


def losses(path: Path) -> list[str]:
    """What is not kept of this file, in short phrases; the metadata is that of the first frames.

    Raises:
        SignalError: as `reading.load`, for what shows in the first frames.
    """
    with opened(path) as (container, stream):
        lost = _other_streams(container, stream)
        if container.chapters():
            lost.append("chapters")
        if any(_tags(each.metadata) for each in (container, stream)):
            lost.append("tags")
        delay = _delay(container, stream)
        if delay > 0:
            lost.append(f"{float(delay):.3g} s of delay at the start")
        frames: list[VideoFrame] = list(islice(container.decode(stream), _FIRST))
        if not frames:
            raise SignalError("a video without frames; check it with ffprobe")
        metadata = [frame.side_data for frame in frames]
        extras = [name for kind, name in _EXTRAS.items() if any(kind in each for each in metadata)]
        lost += dict.fromkeys(extras)
        if (
            Orientation.of(frames[0]) != Orientation()
            and max(LAYOUTS[layout_of(frames[0])].down) > 1
            and chroma_siting(stream) not in (0, CENTRE)
        ):
            lost.append("chroma siting")
    return lost


def _other_streams(container: InputContainer, stream: VideoStream) -> list[str]:
    counts = Counter(_kind(each) for each in container.streams if each.index != stream.index)
    return [kind if n == 1 else f"{n} {kind}s" for kind, n in counts.items()]


def _kind(stream: Stream) -> str:
    if isinstance(stream, VideoStream) and is_picture(stream):
        return "attached picture"
    return _KINDS.get(stream.type, "unknown track")


def _tags(metadata: dict[str, str]) -> set[str]:
    """Names of the tags that a person or a camera has given."""
    return {
        name
        for name, value in metadata.items()
        if name.lower() not in _TECHNICAL
        and not name.startswith("_STATISTICS")
        and name != ASPECT
        and (name, value) != ("language", _UNKNOWN_LANGUAGE)
    }


def _delay(container: InputContainer, stream: VideoStream) -> Fraction:
    """Seconds until the first picture is shown."""
    if stream.start_time is None or stream.time_base is None:
        return Fraction(0)
    start = stream.start_time * stream.time_base
    if container.format.name in _COUNTED_FROM_ANYWHERE and container.start_time is not None:
        return start - Fraction(container.start_time, 10**6)
    return start
