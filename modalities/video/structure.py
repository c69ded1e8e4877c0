"""Whether a file is as long as its container says: FFmpeg plays what there is, without a word."""

import os
import struct
from typing import BinaryIO

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
# ISO/IEC 14496-12: what a file of boxes may begin with
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_MOST = 1 << 16  # boxes at the top of a file that are looked at


def cut_short(file: BinaryIO) -> str | None:
    """Say what is missing at the end of a Matroska, MP4 or AVI file; None if nothing is.

    Also None for other formats, and for those whose size is not known (live recordings).
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
    """A number of variable length; None where it stands for an unknown size."""
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
    for _ in range(_MOST):
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
