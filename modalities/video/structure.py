"""Whether a file is whole: FFmpeg decodes truncated and damaged files without an error."""

import os
import struct
import zlib
from typing import BinaryIO

from inrc_modalities.video.clip import LAYOUTS, Layout

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
# ISO/IEC 14496-12: boxes at the beginning of a file
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_Y4M, _LINE = b"YUV4MPEG2 ", 256
_REVERSED = bytes(int(f"{n:08b}"[::-1], 2) for n in range(256))
_ONES = 0xFFFFFFFF
_FOOTER = 8  # of a slice of FFV1 with checksums: three bytes of size, one of status, four of CRC
_MAX_BOXES = 1 << 16  # boxes at the top of a file that are read


def cut_short(file: BinaryIO) -> str | None:
    """Say how much of a Matroska, MP4, AVI or Y4M file is there; None if the file is whole.

    Also None for other formats, and for files of unknown size (live recordings).
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] == _EBML:
        end = _matroska(file)
    elif head[4:8] in _BOXES:
        end = _boxes(file, size)
    elif head[:4] == b"RIFF":
        end = 8 + int(struct.unpack("<I", head[4:8])[0])
    elif head[:10] == _Y4M:
        end = _y4m(file, size)
    else:
        return None
    return f"{size} bytes of {end}" if end is not None and end > size else None


def _matroska(file: BinaryIO) -> int | None:
    """End of the segment (RFC 8794: identifier, size, content)."""
    file.seek(4)
    header = _vint(file)
    if header is None:
        return None
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return None
    length = _vint(file)
    return None if length is None else file.tell() + length


def _vint(file: BinaryIO) -> int | None:
    """A number of variable length; None for an unknown size."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    rest = file.read(more)
    if len(rest) < more:
        return None
    value = int.from_bytes(bytes([first[0] ^ (0x80 >> more)]) + rest, "big")
    return None if value == (1 << 7 * (more + 1)) - 1 else value


def _boxes(file: BinaryIO, size: int) -> int | None:
    """End of the last box that begins within the file."""
    at = 0
    for _ in range(_MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return at + 8 if head else at
        length = int(struct.unpack(">I", head[:4])[0])
        if length == 1 and len(head) == 16:
            length = int(struct.unpack(">Q", head[8:])[0])
        if length < 8:
            return None  # 0: to the end of the file; anything else makes no sense
        at += length
        if at >= size:
            return at
    return None


def _y4m(file: BinaryIO, size: int) -> int | None:
    """End of the last frame that begins within the file (mjpegtools, yuv4mpeg(5)); 8 bits only."""
    file.seek(0)
    words = file.readline(_LINE).split()[1:]
    header = {word[:1]: word[1:].decode("ascii", "replace") for word in words}
    layout = _y4m_layout(header.get(b"C", "420"))
    width, height = header.get(b"W", ""), header.get(b"H", "")
    if layout is None or not (width.isdecimal() and height.isdecimal()):
        return None
    length = sum(h * w for h, w in layout.sizes(int(height), int(width)))
    end = file.tell()
    while end < size and length:
        file.seek(end)
        end += len(file.readline(_LINE)) + length
    return end


def _y4m_layout(name: str) -> Layout | None:
    if name.startswith("420") and not name.startswith("420p"):
        return LAYOUTS["yuv420p"]
    return LAYOUTS.get({"mono": "gray", "422": "yuv422p", "444": "yuv444p"}.get(name, ""))


def sound_ffv1(packet: bytes) -> bool:
    """Whether the checksums of a frame in FFV1, if it has any, are right (RFC 9043, 4.9)."""
    slices = []
    end = len(packet)
    while end >= _FOOTER:
        start = end - _FOOTER - int.from_bytes(packet[end - _FOOTER : end - _FOOTER + 3], "big")
        if start < 0:
            return True  # footers without checksums, or no footers
        slices.append(packet[start:end])
        end = start
    if end:
        return True
    # their CRC goes from the highest bit to the lowest and begins with 0, zlib's does neither
    return all(zlib.crc32(each.translate(_REVERSED), _ONES) == _ONES for each in slices)
