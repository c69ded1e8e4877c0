"""Where the samples of coarser chroma lie, which FFmpeg's Python interface does not tell."""

import io

import av
from av.video.stream import VideoStream

CENTRE = 2
"""AVCHROMA_LOC_CENTER: between the luma samples, as in JPEG and MPEG-1."""

NAMES = {1: "left", 2: "center", 3: "topleft", 4: "top"}
"""FFmpeg's names of its numbers AVCHROMA_LOC. Matroska can state these."""

# RFC 9559: ChromaSitingHorz and ChromaSitingVert, 1 at the first luma sample, 2 halfway
_ACROSS, _DOWN = b"\x55\xb7\x81", b"\x55\xb8\x81"
_PLACES = {(1, 2): 1, (2, 2): 2, (1, 1): 3, (2, 1): 4}


def chroma_siting(stream: VideoStream) -> int:
    """The number AVCHROMA_LOC of a stream; 0 if it is not specified.

    FFmpeg writes the header of a Matroska file for the stream, and the header states it.
    """
    buffer = io.BytesIO()
    try:
        # without this option, FFmpeg writes no raw video
        with av.open(buffer, "w", format="matroska", options={"allow_raw_vfw": "1"}) as output:
            output.add_stream_from_template(stream)
            output.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return 0  # a codec that Matroska has no name for
    header = buffer.getvalue()
    ends = [header.find(name) + len(name) for name in (_ACROSS, _DOWN)]
    if any(name not in header for name in (_ACROSS, _DOWN)):
        return 0
    return _PLACES.get((header[ends[0]], header[ends[1]]), 0)
