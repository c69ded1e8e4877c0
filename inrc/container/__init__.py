"""The `.inrc` file: what is around the payload, byte by byte.

    magic 4 | version 1 | model id 6 | quality level 1 | [card length varint | card] | items varint |
    block length varint | block | payload, to the end | CRC-32 of all before, little-endian 4

A file that needs no model has six zero bytes for the model's id, and then, and only then, a card:
see `inrc.container.card`.

The block says per item what differs from the item before it (the first: from the model's default):
its name, its meta (see `inrc.container.difference`) and its number of parts. It is empty for one
nameless item that is as the model expects. Nothing here needs a model, nor torch.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inrc.container.block import MAX_ITEMS, Entry, Item, impossible, read_block, write_block
from inrc.container.card import OWN, Card, read_card, write_card
from inrc.container.difference import Budget, apply, packed, plain
from inrc.errors import ContainerError

MAGIC = b"\x89INR"  # the high bit, as in PNG's magic, keeps text files from looking like one
VERSION = 2
"""2: the keys of a difference are places. Files of version 1 are read."""
ID_BYTES = 6
_FIXED = len(MAGIC) + 1 + ID_BYTES + 1
_CRC = 4

__all__ = [
    "OWN", "Archive", "Card", "Entry", "Item", "Peek", "pack", "packed", "peek", "plain", "unpack",
]  # fmt: skip


@dataclass(frozen=True)
class Archive:
    """All that a `.inrc` file says. `model_id` has 6 bytes, `quality` is 0-255.

    `card` is there if and only if the model's id is `OWN`: the file needs no model.
    """

    model_id: bytes
    quality: int
    items: tuple[Item, ...]
    payload: bytes
    card: Card | None = None


@dataclass(frozen=True)
class Peek:
    """All that can be known of a `.inrc` file without its model; sizes in bytes."""

    version: int
    model_id: bytes
    quality: int
    entries: tuple[Entry, ...]
    header_size: int
    payload: bytes
    card: Card | None = None
    card_size: int = 0


def pack_archive(archive: Archive, default: Item) -> bytes:
    """Write an archive; `default` is the item that the model expects.

    14 bytes come before the payload if the only item is nameless and as the default, 4 after it.

    The card of a file that needs no model comes on top.

    Raises ContainerError for a meta that is not plain, an id without its card, a name that is not a
    relative path, or anything beyond the limits of `inrc.container.block`.
    """
    if len(archive.model_id) != ID_BYTES:
        raise ContainerError(f"a model id has {ID_BYTES} bytes, not {len(archive.model_id)}")
    if not 0 <= archive.quality <= 255:
        raise ContainerError(f"quality level {archive.quality} is not within 0-255")
    if (archive.model_id == OWN) != (archive.card is not None):
        raise ContainerError("a card belongs to the id of six zeros, and to no other")
    block = write_block(archive.items, default)
    head = MAGIC + bytes([VERSION]) + archive.model_id + bytes([archive.quality])
    if archive.card is not None:
        card = write_card(archive.card)
        head += _varint(len(card)) + card
    body = head + _varint(len(archive.items)) + _varint(len(block)) + block + archive.payload
    data = body + zlib.crc32(body).to_bytes(_CRC, "little")
    unpack_archive(data, default)  # never write what could not be read back
    return data


def unpack_archive(data: bytes, default: Item) -> Archive:
    """Read an archive; `default` must be the one that it was packed with.

    Raises ContainerError as `peek` does.
    """
    seen = peek(data)
    items: list[Item] = []
    meta: Mapping[str, Any] = plain(default.meta, "default meta")
    parts = default.parts
    budget = Budget()
    for entry in seen.entries:
        meta = apply(meta, entry.patch, budget, places=seen.version > 1)
        parts = parts if entry.parts is None else entry.parts
        items.append(Item(entry.name, meta, parts))
    return Archive(seen.model_id, seen.quality, tuple(items), seen.payload, seen.card)


def peek(data: bytes) -> Peek:
    """Read what can be read without the model: everything but the metas' unchanged values.

    Raises ContainerError if the data are of another kind, of a newer version, cut short, damaged,
    or declare what is impossible or beyond the limits.
    """
    if data[: len(MAGIC)] != MAGIC[: len(data)] or not data:
        raise ContainerError("not an .inrc file")
    if len(data) > len(MAGIC) and data[len(MAGIC)] > VERSION:
        raise ContainerError(
            f"format version {data[len(MAGIC)]} is newer than {VERSION}, the newest that this inrc "
            "reads: update inrc"
        )
    if len(data) < _FIXED + 2 + _CRC:
        raise ContainerError(f"truncated: only {len(data)} bytes are left of it")
    body = data[:-_CRC]
    if zlib.crc32(body) != int.from_bytes(data[-_CRC:], "little"):
        raise ContainerError("damaged or truncated: its checksum does not fit; get it again")
    version, quality = body[len(MAGIC)], body[_FIXED - 1]
    if version < 1:
        impossible("format version 0")
    model_id, at, card, card_size = body[len(MAGIC) + 1 : _FIXED - 1], _FIXED, None, 0
    if model_id == OWN and version > 1:
        card_size, at = _read_varint(body, at)
        if card_size > len(body) - at:
            impossible(f"a card of {card_size} bytes in a file of {len(data)}")
        card, at = read_card(body[at : at + card_size]), at + card_size
    count, at = _read_varint(body, at)
    size, at = _read_varint(body, at)
    if not 1 <= count <= MAX_ITEMS:
        impossible(f"{count} items")
    if size > len(body) - at:
        impossible(f"a header of {size} bytes in a file of {len(data)}")
    entries = read_block(body[at : at + size], count)
    end = at + size
    return Peek(version, model_id, quality, entries, end, body[end:], card, card_size)


def _varint(number: int) -> bytes:
    """LEB128: seven bits a byte, the lowest first, the high bit set on all but the last."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for i in range(5):  # 35 bits are more than any number here may have
        if at + i >= len(data):
            break
        number |= (data[at + i] & 127) << (7 * i)
        if data[at + i] < 128:
            return number, at + i + 1
    impossible("a number without an end")
