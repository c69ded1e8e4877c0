"""Pages of Ogg files: whether they are whole, and what is not kept of them (RFC 3533)."""

from typing import BinaryIO

from inrc_modalities.audio.flac import has_comments

MAGIC = b"OggS"
_PAGE = 65_307  # bytes of a page at most
_FIRST, _LAST = 0x02, 0x04  # flags of the first and the last page of a stream
_HEADER = 27  # bytes of the header of a page before its table of segments
_COMMENTS = (b"\x03vorbis", b"OpusTags")  # what the packet with the tags begins with
_START = 1 << 16  # bytes at the beginning of a file that are searched for it


def unsupported(file: BinaryIO, size: int) -> str | None:
    """Say what is wrong with a file that libsndfile reads in part; None if nothing is.

    Also None for files that are not Ogg.
    """
    file.seek(0)
    if file.read(4) != MAGIC:
        return None
    if not _whole(file, size):
        return "cut short, its end is missing; fetch or make it again"
    streams = _streams(file)
    if streams > 1:
        return f"{streams} streams in one file; save one of them by itself"
    return None


def _whole(file: BinaryIO, size: int) -> bool:
    """Whether a file ends with the last page of a stream."""
    file.seek(max(0, size - _PAGE))
    tail = file.read()
    page = tail.rfind(MAGIC)
    if page < 0 or len(tail) < page + _HEADER or not tail[page + 5] & _LAST:
        return False
    count = tail[page + _HEADER - 1]
    segments = tail[page + _HEADER : page + _HEADER + count]
    return page + _HEADER + count + sum(segments) <= len(tail)


def _streams(file: BinaryIO) -> int:
    """How many streams begin in a file, side by side or one after another."""
    count, at = 0, 0
    while True:
        file.seek(at)
        head = file.read(_HEADER)
        if len(head) < _HEADER or head[:4] != MAGIC:
            return count
        count += bool(head[5] & _FIRST)
        at += _HEADER + head[-1] + sum(file.read(head[-1]))


def losses(file: BinaryIO) -> list[str]:
    """What is not kept of a file, in short phrases."""
    file.seek(0)
    start = file.read(_START)
    if start[:4] != MAGIC:
        return []
    for name in _COMMENTS:
        at = start.find(name)
        if at >= 0 and has_comments(start[at + len(name) :]):
            return ["tags"]
    return []
