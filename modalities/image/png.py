"""PNG chunks: those that Pillow does not read, and those that it does not write."""

import struct
import zlib
from pathlib import Path

from inrc_modalities.image.colour import CHUNKS
from inrc_modalities.image.pixels import Pixels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES = 33
"""Signature and IHDR: the chunks that say how pixels look follow them."""
_MAX_CONTENT = max(CHUNKS.values())


def chunks(path: Path) -> dict[str, bytes]:
    """The chunks of a PNG by name, the first of each; only small ones come with their content.

    A file that is cut short gives the chunks before the cut.
    """
    contents: dict[str, bytes] = {}
    with path.open("rb") as file:
        file.seek(len(SIGNATURE))
        while len(head := file.read(8)) == 8:
            size, name = int.from_bytes(head[:4], "big"), head[4:].decode("latin1")
            data = file.read(size) if size <= _MAX_CONTENT else b""
            contents.setdefault(name, data)
            file.seek(size - len(data) + 4, 1)  # and the checksum
    return contents


def with_colour(content: bytes, pixels: Pixels) -> bytes:
    """A PNG without a description of its colours, with that of the pixels."""
    inserted = [(name.encode(), data) for name, data in pixels.colour.items()]
    if pixels.icc is not None:
        # a name, method 0, and the deflated profile
        inserted.append((b"iCCP", b"ICC\0\0" + zlib.compress(pixels.icc, 9)))
    described = b"".join(chunk(name, data) for name, data in inserted)
    return content[:_HEADER_BYTES] + described + content[_HEADER_BYTES:]


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk: length, name, data, checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
