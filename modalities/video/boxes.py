"""What MP4 and Matroska files declare about how they are shown, where FFmpeg's API is silent.

FFmpeg carries out the edit lists of MP4 except for changes of speed and gaps; it reports cropping
to its own command-line tool only.
"""

import struct
from collections.abc import Iterator
from fractions import Fraction
from mmap import ACCESS_READ, mmap
from typing import BinaryIO

_EBML = b"\x1a\x45\xdf\xa3"
# RFC 9559: Segment, Tracks, TrackEntry, Video, and PixelCrop Bottom, Top, Left, Right
_VIDEO = (0x18538067, 0x1654AE6B, 0xAE, 0xE0)
_CROPS = (0x54AA, 0x54BB, 0x54CC, 0x54DD)
_ENTRY = 78  # bytes of a visual sample entry before its boxes (ISO/IEC 14496-12, 12.1.3)
_NORMAL_SPEED = 1 << 16  # 1 as a 16.16 fixed-point number
_CROPPED = "only a part of its pictures is to be shown; crop the pixels first (ffmpeg -vf crop)"

Part = tuple[int, int]
"""First byte and end of the content of a box or element."""


def unsupported(file: BinaryIO) -> str | None:
    """Say what a file declares that would be lost, as the rest of an error message.

    None for files of other kinds, and for those that declare nothing of this sort.
    """
    with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        whole = (0, len(data))
        if data[:4] == _EBML:
            return _CROPPED if any(_cropped(data, part) for part in _videos(data, whole)) else None
        for track in _inside(data, whole, b"moov", b"trak"):
            handlers = list(_inside(data, track, b"mdia", b"hdlr"))
            if not any(data[at + 8 : at + 12] == b"vide" for at, _ in handlers):
                continue
            for edits in _inside(data, track, b"edts", b"elst"):
                reason = _edits(data, edits)
                if reason is not None:
                    return reason
            for table in _inside(data, track, b"mdia", b"minf", b"stbl", b"stsd"):
                if _clipped(data, table):
                    return _CROPPED
    return None


def _inside(data: mmap, part: Part, *path: bytes) -> Iterator[Part]:
    """Content of all boxes of MP4 at a path of names."""
    for name, inner in _boxes(data, part):
        if name == path[0]:
            yield from _inside(data, inner, *path[1:]) if len(path) > 1 else (inner,)


def _boxes(data: mmap, part: Part) -> Iterator[tuple[bytes, Part]]:
    at, end = part
    while at + 8 <= end:
        length, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1 and start + 8 <= end:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        elif length == 0:
            length = end - at
        if length < start - at:
            return
        yield name, (start, min(at + length, end))
        at += length


def _edits(data: mmap, part: Part) -> str | None:
    """What of an edit list (ISO/IEC 14496-12, 8.6.6) is not carried out."""
    at, end = part
    form = struct.Struct(">QqI" if data[at : at + 1] == b"\x01" else ">IiI")
    shown = False
    for start in range(at + 8, end - form.size + 1, form.size):
        duration, time, speed = form.unpack_from(data, start)
        if time == -1:
            if shown and duration:
                return "its edit list has a gap between pictures; convert the file first"
            continue
        shown = True
        if speed != _NORMAL_SPEED:
            return "its edit list changes the speed; convert the file first"
    return None


def _clipped(data: mmap, part: Part) -> bool:
    """Whether the clean aperture (ISO/IEC 14496-12, 12.1.4) is only a part of the picture."""
    for _, (start, end) in _boxes(data, (part[0] + 8, part[1])):
        if start + _ENTRY > end:
            continue
        size = struct.unpack_from(">HH", data, start + 24)
        for name, (at, stop) in _boxes(data, (start + _ENTRY, end)):
            if name == b"clap" and stop - at >= 32:
                values = struct.unpack_from(">8i", data, at)
                if 0 not in values[1::2]:
                    return (Fraction(*values[:2]), Fraction(*values[2:4])) != size
    return False


def _videos(data: mmap, part: Part, depth: int = 0) -> Iterator[Part]:
    """The Video elements of all tracks."""
    for name, inner in _elements(data, part):
        if name == _VIDEO[depth]:
            yield from _videos(data, inner, depth + 1) if depth + 1 < len(_VIDEO) else (inner,)


def _elements(data: mmap, part: Part) -> Iterator[tuple[int, Part]]:
    """Elements of EBML (RFC 8794), with their identifiers; an unknown size goes to the end."""
    at, end = part
    while at < end:
        width = 9 - data[at].bit_length()
        if width > 4 or at + width >= end:
            return
        name = int.from_bytes(data[at : at + width], "big")
        at += width
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width], "big") & (1 << 7 * width) - 1
        at += width
        stop = end if size == (1 << 7 * width) - 1 else min(at + size, end)
        yield name, (at, stop)
        at = stop


def _cropped(data: mmap, video: Part) -> bool:
    return any(name in _CROPS and any(data[at:end]) for name, (at, end) in _elements(data, video))
