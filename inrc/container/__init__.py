"""The `.inrc` file: everything around the payload, byte by byte.

    magic 4 | version 1 | model id 6 | quality level 1 | [card length varint | card] |
    items varint | block length varint | block | payload, to the end |
    CRC-32 of all before, little-endian 4

A file that needs no model has six zero bytes for the model's id, and then, and only then, a card:
see `inrc.container.card`.

For every item, the block holds what differs from the item before it (the first item: from the
model's default): its name, its meta (see `inrc.container.difference`) and its number of parts. The
block is empty if the only item is nameless and equal to the default. Reading a file needs neither
a model nor torch.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inrc.container.block import (
    MAX_ITEMS,
    Entry,
    Item,
    corrupt,
    parse_item,
    read_block,
    write_block,
)
from inrc.container.card import OWN, Card, read_card, write_card
from inrc.container.difference import MAX_KEYS, Budget, apply, packed, plain
from inrc.container.names import name_fault
from inrc.errors import ContainerError
from inrc.varint import read_varint, write_varint

MAGIC = b"\x89INR"  # the high bit, as in PNG's magic, keeps text files from looking like one
VERSION = 1
"""Version of the file format."""
ID_BYTES = 6
_FIXED = len(MAGIC) + 1 + ID_BYTES + 1
_CRC = 4

__all__ = [
    "OWN", "Archive", "Card", "Entry", "Item", "Peek", "name_fault", "pack_archive",
    "packed", "parse_item", "peek", "plain", "unpack_archive",
]  # fmt: skip


@dataclass(frozen=True)
class Archive:
    """The content of a `.inrc` file. `model_id` has 6 bytes; the quality level is 0-255.

    `card` is given if and only if the model's id is `OWN`: the file needs no model.
    """

    model_id: bytes
    quality: int
    items: tuple[Item, ...]
    payload: bytes
    card: Card | None = None


@dataclass(frozen=True)
class Peek:
    """All that can be known of a `.inrc` file without its model; sizes in bytes.

    `count` is the number of items, `entries` are those that were read.
    """

    version: int
    model_id: bytes
    quality: int
    count: int
    entries: tuple[Entry, ...]
    header_size: int
    payload: bytes
    card: Card | None = None
    card_size: int = 0


def pack_archive(archive: Archive, default: Item) -> bytes:
    """Write an archive; `default` is the item that the model expects.

    The shortest header has 14 bytes, for one nameless item that equals the default; 4 bytes follow
    the payload. The card of a file that needs no model is added to the header.

    Raises:
        ContainerError: a meta that is not plain, an id without its card, a name that is not a
            relative path, or anything beyond the limits of `inrc.container.block`.
    """
    if len(archive.model_id) != ID_BYTES:
        raise ContainerError(f"a model id has {ID_BYTES} bytes, not {len(archive.model_id)}")
    if not 0 <= archive.quality <= 255:
        raise ContainerError(f"quality {archive.quality} is not within 0-255")
    if (archive.model_id == OWN) != (archive.card is not None):
        raise ContainerError("a card goes with the model id of six zeros, and with no other")
    block = write_block(archive.items, default)
    head = MAGIC + bytes([VERSION]) + archive.model_id + bytes([archive.quality])
    if archive.card is not None:
        card = write_card(archive.card)
        head += write_varint(len(card)) + card
    head += write_varint(len(archive.items)) + write_varint(len(block))
    body = head + block + archive.payload
    data = body + zlib.crc32(body).to_bytes(_CRC, "little")
    unpack_archive(data, default)  # never write what could not be read back
    return data


def unpack_archive(data: bytes, default: Item, max_keys: int = MAX_KEYS) -> Archive:
    """Read an archive; `default` must be the one that it was packed with.

    Raises:
        ContainerError: as `peek`, or metas that have more than `max_keys` keys together.
    """
    seen = peek(data)
    items: list[Item] = []
    meta: Mapping[str, Any] = plain(default.meta, "default meta")
    parts = default.parts
    budget = Budget(max_keys)
    for entry in seen.entries:
        meta = apply(meta, entry.patch, budget)
        parts = parts if entry.parts is None else entry.parts
        items.append(Item(entry.name, meta, parts))
    return Archive(seen.model_id, seen.quality, tuple(items), seen.payload, seen.card)


def peek(data: bytes, max_entries: int | None = None) -> Peek:
    """Read what can be read without the model: everything but the unchanged values of metas.

    With `max_entries`, only so many items are read (fewer if they are large), and the others are
    not checked: the time and memory that this takes do not grow with the header.

    Raises:
        ContainerError: the data are of another kind or version, truncated or corrupt, or declare
            something impossible or beyond the limits.
    """
    if data[: len(MAGIC)] != MAGIC[: len(data)] or not data:
        raise ContainerError("not an .inrc file; name one that `inrc compress` has written")
    if len(data) > len(MAGIC) and data[len(MAGIC)] > VERSION:
        raise ContainerError(
            f"format version {data[len(MAGIC)]} is newer than {VERSION}, the newest that this inrc "
            "reads; update inrc"
        )
    if len(data) < _FIXED + 2 + _CRC:
        raise ContainerError(f"truncated after {len(data)} bytes; get the file again")
    body = memoryview(data)[:-_CRC]
    if zlib.crc32(body) != int.from_bytes(data[-_CRC:], "little"):
        raise ContainerError("corrupt or truncated: its checksum does not match; get it again")
    if body[len(MAGIC)] < VERSION:
        corrupt(f"format version {body[len(MAGIC)]}")
    try:
        return _peek(data, body, max_entries)
    except ValueError as error:  # a varint
        raise ContainerError(f"corrupt .inrc file: {error}") from error


def _peek(data: bytes, body: memoryview, max_entries: int | None) -> Peek:
    """What `peek` reads after the checksum."""
    version, quality = body[len(MAGIC)], body[_FIXED - 1]
    model_id, at = bytes(body[len(MAGIC) + 1 : _FIXED - 1]), _FIXED
    card, card_size = None, 0
    if model_id == OWN:
        card_size, at = read_varint(body, at)
        if card_size > len(body) - at:
            corrupt(f"a card of {card_size} bytes in a file of {len(data)}")
        card, at = read_card(bytes(body[at : at + card_size])), at + card_size
    count, at = read_varint(body, at)
    size, at = read_varint(body, at)
    if not 1 <= count <= MAX_ITEMS:
        corrupt(f"{count} items")
    if size > len(body) - at:
        corrupt(f"a header of {size} bytes in a file of {len(data)}")
    entries = read_block(bytes(body[at : at + size]), count, max_entries)
    end = at + size
    return Peek(version, model_id, quality, count, entries, end, bytes(body[end:]), card, card_size)
