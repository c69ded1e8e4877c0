"""The header block: what the items of an archive are called and how their metas differ."""

import lzma
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import msgpack

from inrc.container.difference import MAX_DEPTH, difference, packed, plain
from inrc.errors import ContainerError

MAX_ITEMS = 1 << 20
MAX_PARTS = (1 << 31) - 1
MAX_BLOCK = 64 << 20
MAX_NAME = 4096  # PATH_MAX on Linux
MAX_VALUES = 1 << 23  # lists and maps in a block: eight for each of the most items
_PLAIN, _ZLIB, _LZMA = 0, 1, 2
_LZMA_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6}]


@dataclass(frozen=True)
class Item:
    """One signal of an archive: its file name ("" if none), its meta, its number of parts."""

    name: str
    meta: Mapping[str, Any]
    parts: int


@dataclass(frozen=True)
class Entry:
    """One item as it is stored; `parts` is None and `patch` is empty if they are as before it."""

    name: str
    patch: Any
    parts: int | None


def write_block(items: Sequence[Item], default: Item) -> bytes:
    """The block of these items, empty for one nameless item that is as the default.

    Raises ContainerError for a meta that is not plain, or too many items.
    """
    if not 1 <= len(items) <= MAX_ITEMS:
        raise ContainerError(f"an archive holds 1 to {MAX_ITEMS} items, not {len(items)}")
    rows: list[list[Any]] = []
    meta, parts = plain(default.meta, "default meta"), default.parts
    for item in items:
        new = plain(item.meta, "meta")
        changed = None if item.parts == parts else item.parts
        row = [item.name, difference(meta, new), changed]
        while len(row) > 1 and row[-1] in ([], None):
            row.pop()
        rows.append(row)
        meta, parts = new, item.parts
    if rows == [[""]]:
        return b""
    raw = packed(rows)
    return deflated(raw)


def deflated(raw: bytes) -> bytes:
    """The shortest of three ways to write it, behind a byte that says which."""
    ways = (
        bytes([_PLAIN]) + raw,
        bytes([_ZLIB]) + zlib.compress(raw, 9, -zlib.MAX_WBITS),
        bytes([_LZMA]) + lzma.compress(raw, lzma.FORMAT_RAW, filters=_LZMA_FILTERS),
    )
    return min(ways, key=len)


def read_block(block: bytes, count: int) -> tuple[Entry, ...]:
    """The entries of a block, each of them checked.

    Raises ContainerError for whatever `write_block` would not have written.
    """
    rows = inflated(block) if block else [[""]]
    if not isinstance(rows, list) or len(rows) != count:
        impossible("another number of items than its header has")
    entries = tuple(_entry(row) for row in rows)
    if len({entry.name for entry in entries}) != count:
        impossible("two items of the same name")
    return entries


def _entry(row: Any) -> Entry:
    if not isinstance(row, list) or not 1 <= len(row) <= 3 or not isinstance(row[0], str):
        impossible("an item that is none")
    name, patch, parts = row + [[], None][len(row) - 1 :]
    if not isinstance(patch, list | dict):
        impossible("an item whose meta is no difference")
    if parts is not None and (type(parts) is not int or not 1 <= parts <= MAX_PARTS):
        impossible(f"an item of {parts!r:.40} parts")
    if len(name) > MAX_NAME or "\0" in name or "\\" in name:
        impossible(f"the item name {name!r:.80}")
    if name and not {"", ".", ".."}.isdisjoint(name.split("/")):
        # absolute paths begin with an empty step
        impossible(f"the item name {name!r:.80}, which leads out of its folder")
    return Entry(name, patch, parts)


def inflated(block: bytes) -> Any:
    """The plain value that `deflated` bytes of msgpack hold.

    Raises ContainerError for anything else, and for what is beyond the limits.
    """
    raw = _inflated(block)
    try:
        # lets no declared length pass that the bytes do not hold, before lists of it are made
        walker = msgpack.Unpacker(max_buffer_size=max(len(raw), 1), strict_map_key=True)
        walker.feed(raw)
        walker.skip()
        if walker.tell() != len(raw):
            impossible("a header with bytes left over")
        many = _Many()
        rows = msgpack.unpackb(
            raw,
            strict_map_key=True,
            unicode_errors="surrogatepass",
            list_hook=many,
            object_hook=many,
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ContainerError("declares a header that cannot be read") from error
    return plain(rows, "header", 2 * MAX_DEPTH + 6)  # a patch has two levels for each of its meta


def _inflated(block: bytes) -> bytes:
    way, rest = block[0], block[1:]
    if way == _PLAIN:
        if len(rest) > MAX_BLOCK:
            impossible(f"a header of more than {MAX_BLOCK} bytes")
        return rest
    worker: Any
    if way == _ZLIB:
        worker = zlib.decompressobj(-zlib.MAX_WBITS)
    elif way == _LZMA:
        worker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_LZMA_FILTERS)
    else:
        impossible(f"header compression {way}")
    try:
        raw: bytes = worker.decompress(rest, MAX_BLOCK)
        if not worker.eof and worker.decompress(getattr(worker, "unconsumed_tail", b""), 1):
            impossible(f"a header of more than {MAX_BLOCK} bytes")
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise ContainerError("declares a compressed header that cannot be read") from error
    if not worker.eof or worker.unused_data:
        impossible("a compressed header that ends elsewhere")
    return raw


class _Many:
    """Counts lists and maps while they are made; each costs far more memory than its one byte."""

    def __init__(self) -> None:
        self.left = MAX_VALUES

    def __call__(self, value: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            impossible(f"more than {MAX_VALUES} lists in its header")
        return value


def impossible(what: str) -> NoReturn:
    """Raise the ContainerError of a file that says what cannot be."""
    raise ContainerError(f"not a sound .inrc file: it declares {what}")
