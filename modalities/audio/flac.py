"""FLAC files whose header does not know their length, and what is not kept of FLAC (RFC 9639)."""

import struct
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import BinaryIO

from inrc.errors import SignalError

MAGIC = b"fLaC"
_INFO = 18  # first of the 8 bytes with rate, channels, bits and, in their last 36 bits, samples
_SAMPLES = (1 << 36) - 1
_TAIL = 1 << 24  # bytes of a frame at most: STREAMINFO has 24 bits for it
_HEADER = 16  # bytes of the header of a frame at most
_LOSSES = {2: "application data", 5: "cue sheet", 6: "pictures"}  # by the kind of metadata block
_COMMENTS = 4
_ID3, _ID3_V1 = 10, 128  # bytes of the header of an ID3 tag, and of a tag of version 1
_SOFTWARE = (b"ENCODER=", b"SOFTWARE=")  # tags that programs write by themselves
_CANDIDATES = 8  # headers from the end on that are tried; in 250 frames one false one occurs


def patches(file: BinaryIO, size: int) -> Mapping[int, bytes]:
    """What libsndfile has to see in the header to read a file of unknown length; else nothing.

    The last frame says how many samples there are.

    Raises:
        SignalError: a file of unknown length whose last frame is damaged or not whole.
    """
    start, end = _bounds(file, size)
    file.seek(start)
    head = file.read(_INFO + 8)
    if head[:4] != MAGIC or len(head) < _INFO + 8:
        return {}
    packed = int.from_bytes(head[_INFO:], "big")
    if packed & _SAMPLES:
        return {}
    tail = max(start, end - _TAIL)
    file.seek(tail)
    samples = _samples(file.read(end - tail), int.from_bytes(head[10:12], "big"))
    if not 0 < samples <= _SAMPLES:
        raise SignalError(
            "cut short or damaged, its last frame is not whole; fetch or make it again"
        )
    return {start + _INFO: (packed | samples).to_bytes(8, "big")}


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


def _samples(tail: bytes, block: int) -> int:
    """Samples up to the end of the last whole frame of a file; 0 if it does not end with one."""
    frames = ((at, _numbers(tail[at : at + _HEADER], block)) for at in _syncs(tail))
    headers = ((at, numbers) for at, numbers in frames if numbers is not None)
    for at, numbers in islice(headers, _CANDIDATES):
        if _crc(tail[at:], 0x8005, 16) == 0:
            return sum(numbers)
    return 0


def _syncs(tail: bytes) -> Iterator[int]:
    """Places where a frame may begin, the last first."""
    at = len(tail)
    while (at := tail.rfind(b"\xff", 0, at)) >= 0:
        if tail[at + 1 : at + 2] in (b"\xf8", b"\xf9"):
            yield at


def _numbers(head: bytes, block: int) -> tuple[int, int] | None:
    """First sample and number of samples of a frame; None if this is not a header (section 9.1)."""
    if len(head) < _HEADER:
        head = head.ljust(_HEADER, b"\0")
    code, rate = head[2] >> 4, head[2] & 0x0F
    extra = max(8 - (head[4] ^ 0xFF).bit_length(), 1) - 1 if head[4] >= 0xC0 else 0
    if code == 0 or 0x80 <= head[4] < 0xC0 or head[4] == 0xFF:
        return None
    number = head[4] if not extra else head[4] & (0x3F >> extra)
    for byte in head[5 : 5 + extra]:
        number = number << 6 | byte & 0x3F
    at = 5 + extra
    if code in (6, 7):
        width = code - 5
        size = int.from_bytes(head[at : at + width], "big") + 1
        at += width
    else:
        size = 192 if code == 1 else 576 << (code - 2) if code < 6 else 256 << (code - 8)
    at += {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if _crc(head[: at + 1], 0x07, 8):
        return None
    return (number if head[1] & 1 else number * block), size


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    """A cyclic redundancy check, highest bit first, from 0; that of data and its check is 0."""
    mask, top = (1 << bits) - 1, bits - 8
    table = []
    for byte in range(256):
        value = byte << top
        for _ in range(8):
            value = (value << 1 ^ polynomial if value >> (bits - 1) else value << 1) & mask
        table.append(value)
    value = 0
    for byte in data:
        value = (value << 8 & mask) ^ table[value >> top ^ byte]
    return value
