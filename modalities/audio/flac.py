"""FLAC files whose header does not know their length, and what is not kept of FLAC (RFC 9639)."""

import struct
from collections.abc import Mapping
from typing import BinaryIO

import av

from inrc.errors import SignalError

MAGIC = b"fLaC"
_INFO = 18  # first of the 8 bytes with rate, channels, bits and, in their last 36 bits, samples
_SAMPLES = (1 << 36) - 1
_LOSSES = {2: "application data", 5: "cue sheet", 6: "pictures"}  # by the kind of metadata block
_COMMENTS = 4
_ID3, _ID3_V1 = 10, 128  # bytes of the header of an ID3 tag, and of a tag of version 1
_SOFTWARE = (b"ENCODER=", b"SOFTWARE=")  # tags that programs write by themselves


def patches(file: BinaryIO, size: int) -> Mapping[int, bytes]:
    """What libsndfile has to see in the header to read a file of unknown length; else nothing.

    Raises:
        SignalError: a file of unknown length whose last frame is damaged or not whole.
    """
    start, _ = _bounds(file, size)
    file.seek(start)
    head = file.read(_INFO + 8)
    if head[:4] != MAGIC or len(head) < _INFO + 8:
        return {}
    packed = int.from_bytes(head[_INFO:], "big")
    if packed & _SAMPLES:
        return {}
    file.seek(0)
    return {start + _INFO: (packed | _count(file)).to_bytes(8, "big")}


def _count(file: BinaryIO) -> int:
    """Samples in the frames of a file, of which FFmpeg decodes the last one."""
    samples, last = 0, None
    try:
        with av.open(file, "r", format="flac") as container:
            stream = container.streams.audio[0]
            stream.codec_context.options = {"err_detect": "crccheck+explode"}
            for packet in container.demux(stream):
                if packet.size:
                    samples, last = samples + (packet.duration or 0), packet
            if last is not None and last.decode() and 0 < samples <= _SAMPLES:
                return samples
    except av.FFmpegError:
        pass
    raise SignalError("cut short or damaged, its last frame is not whole; fetch or make it again")


def losses(file: BinaryIO, size: int) -> list[str]:
    """What is not kept of a file, in short phrases."""
    start, end = _bounds(file, size)
    file.seek(start)
    if file.read(4) != MAGIC:
        return []
    lost, last = ["tags"] if (start, end) != (0, size) else [], False
    while not last:
        head = file.read(4)
        if len(head) < 4:
            break
        last, kind = head[0] >= 0x80, head[0] & 0x7F
        content = file.read(int.from_bytes(head[1:], "big"))
        if kind == _COMMENTS and has_comments(content):
            lost.append("tags")
        elif kind in _LOSSES:
            lost.append(_LOSSES[kind])
    return lost


def _bounds(file: BinaryIO, size: int) -> tuple[int, int]:
    """First byte and end of the FLAC stream, between ID3 tags of versions 2 and 1."""
    file.seek(0)
    head = file.read(_ID3)
    start = 0
    if head[:3] == b"ID3" and len(head) == _ID3:
        for byte in head[6:]:  # seven bits each (id3.org, ID3v2.4.0, section 6.2)
            start = start << 7 | byte & 0x7F
        start += _ID3
    file.seek(max(0, size - _ID3_V1))
    return start, size - _ID3_V1 if file.read(3) == b"TAG" else size


def has_comments(content: bytes) -> bool:
    """Whether a Vorbis comment says more than which program wrote the file."""
    try:
        at = 4 + struct.unpack_from("<I", content)[0]
        (count,) = struct.unpack_from("<I", content, at)
        at += 4
        for _ in range(count):
            (length,) = struct.unpack_from("<I", content, at)
            if not content[at + 4 : at + 16].upper().startswith(_SOFTWARE):
                return True
            at += 4 + length
    except struct.error:  # it goes on where `content` ends
        return True
    return False
