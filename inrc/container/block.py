"""The header block: the names of an archive's items and the differences of their metas."""

import lzma
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import msgpack

from inrc.container.difference import MAX_DEPTH, difference, packed, plain
from inrc.container.names import name_fault, names_fault
from inrc.errors import ContainerError

MAX_ITEMS = 1 << 20
MAX_PARTS = (1 << 31) - 1
MAX_BLOCK = 64 << 20
MAX_VALUES = 1 << 23  # lists and maps in a block: eight for each of the most items
# A block may inflate to 4 MiB and 64 times its own bytes, and hold 2^16 lists and maps and 4 for
# each of its bytes: so much as real headers need, and memory that follows the size of the file.
_FREE_BYTES, _BYTES_PER_BYTE = 4 << 20, 64
_FREE_VALUES, _VALUES_PER_BYTE = 1 << 16, 4
_PREVIEW = 1 << 20  # bytes of a header that are looked at for its first entries
_PLAIN, _ZLIB, _LZMA = 0, 1, 2
_LZMA_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6}]


@dataclass(frozen=True)
class Item:
    """One signal of an archive: its file name (may be empty), its meta, its number of parts."""

    name: str
    meta: Mapping[str, Any]
    parts: int


@dataclass(frozen=True)
class Entry:
    """One item as it is stored; `parts` None and an empty `patch` mean: as the item before."""

    name: str
    patch: Any
    parts: int | None


def write_block(items: Sequence[Item], default: Item) -> bytes:
    """The block of these items, empty for one nameless item that equals the default.

    Raises:
        ContainerError: a meta that is not plain, or too many items.
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


def parse_item(raw: bytes) -> Item:
    """The item [name, meta, parts] that bytes of msgpack hold.

    Raises:
        ContainerError: anything else.
    """
    row = parsed(raw, _FREE_VALUES + _VALUES_PER_BYTE * len(raw))
    if not isinstance(row, list) or [type(each) for each in row] != [str, dict, int]:
        corrupt("an invalid item")
    return Item(*row)


def deflated(raw: bytes) -> bytes:
    """The shortest of three encodings that `inflated` reads, after a byte that says which."""
    ways = (
        bytes([_PLAIN]) + raw,
        bytes([_ZLIB]) + zlib.compress(raw, 9, -zlib.MAX_WBITS),
        bytes([_LZMA]) + lzma.compress(raw, lzma.FORMAT_RAW, filters=_LZMA_FILTERS),
    )
    return min((way for way in ways if len(raw) <= _max_bytes(way)), key=len)


def _max_bytes(block: bytes) -> int:
    return min(MAX_BLOCK, _FREE_BYTES + _BYTES_PER_BYTE * len(block))


def read_block(block: bytes, count: int, max_entries: int | None = None) -> tuple[Entry, ...]:
    """The entries of a block, each of them checked; or some of the first, as `peek` says.

    Raises:
        ContainerError: a block that `write_block` cannot have written.
    """
    if block and max_entries is not None:
        return tuple(_preview(block, max_entries))
    rows = inflated(block) if block else [[""]]
    if not isinstance(rows, list) or len(rows) != count:
        corrupt("another number of items than its header has")
    entries = tuple(_entry(row) for row in rows)
    fault = names_fault([entry.name for entry in entries])
    if fault is not None:
        corrupt(fault)
    return entries


def _preview(block: bytes, max_entries: int) -> Iterator[Entry]:
    """The first entries of a block without their patches, as far as its first bytes hold them."""
    walker = msgpack.Unpacker(
        max_buffer_size=_PREVIEW + 1,
        max_array_len=0,
        max_map_len=0,
        max_bin_len=MAX_BLOCK,
        max_str_len=MAX_BLOCK,
        unicode_errors="surrogatepass",
    )
    walker.feed(_inflated(block, _PREVIEW, whole=False))
    try:
        for _ in range(min(walker.read_array_header(), max_entries)):
            size = walker.read_array_header()
            if not 1 <= size <= 3:
                corrupt("an invalid item entry")
            name, parts = walker.unpack(), None
            if size > 1:
                walker.skip()
            if size > 2:
                parts = walker.unpack()
            yield _entry([name, [], parts])
    except msgpack.OutOfData:
        return
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ContainerError("corrupt .inrc file: its header cannot be read") from error


def _entry(row: Any) -> Entry:
    if not isinstance(row, list) or not 1 <= len(row) <= 3 or not isinstance(row[0], str):
        corrupt("an invalid item entry")
    name, patch, parts = row + [[], None][len(row) - 1 :]
    if not isinstance(patch, list | dict):
        corrupt("an item whose meta is not a difference")
    if parts is not None and (type(parts) is not int or not 1 <= parts <= MAX_PARTS):
        corrupt(f"an item of {parts!r:.40} parts")
    fault = name_fault(name)
    if fault is not None:
        corrupt(f"the item name {name!r:.80}, which {fault}")
    return Entry(name, patch, parts)


def inflated(block: bytes, max_bytes: int = MAX_BLOCK) -> Any:
    """The plain value that `deflated` bytes of msgpack hold.

    Raises:
        ContainerError: anything else, or more than the limits allow.
    """
    raw = _inflated(block, min(max_bytes, _max_bytes(block)))
    return parsed(raw, min(MAX_VALUES, _FREE_VALUES + _VALUES_PER_BYTE * len(block)))


def parsed(raw: bytes, max_values: int = MAX_VALUES) -> Any:
    """The plain value that bytes of msgpack hold, with at most so many lists and maps.

    Raises:
        ContainerError: anything else, or more than the limits allow.
    """
    try:
        # rejects declared lengths that the bytes do not hold, before lists of them are made
        walker = msgpack.Unpacker(max_buffer_size=max(len(raw), 1), strict_map_key=True)
        walker.feed(raw)
        walker.skip()
        if walker.tell() != len(raw):
            corrupt("a header with trailing bytes")
        counter = _Counter(max_values)
        rows = msgpack.unpackb(
            raw,
            strict_map_key=True,
            unicode_errors="surrogatepass",
            list_hook=counter,
            object_hook=counter,
        )
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ContainerError("corrupt .inrc file: its header cannot be read") from error
    return plain(rows, "header", 2 * MAX_DEPTH + 6)  # a patch has two levels for each of its meta


def _inflated(block: bytes, max_bytes: int, whole: bool = True) -> bytes:
    """The bytes of a block; unless `whole`, those at its beginning only."""
    way, rest = block[0], block[1:]
    if way == _PLAIN:
        if whole and len(rest) > max_bytes:
            corrupt(f"a header of more than {max_bytes} bytes")
        return rest[:max_bytes]
    worker: Any
    if way == _ZLIB:
        worker = zlib.decompressobj(-zlib.MAX_WBITS)
    elif way == _LZMA:
        worker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_LZMA_FILTERS)
    else:
        corrupt(f"header compression {way}")
    try:
        raw: bytes = worker.decompress(rest, max_bytes)
        if not whole:
            return raw
        if not worker.eof and worker.decompress(getattr(worker, "unconsumed_tail", b""), 1):
            corrupt(f"a header of more than {max_bytes} bytes")
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise ContainerError("corrupt .inrc file: its header cannot be decompressed") from error
    if not worker.eof or worker.unused_data:
        corrupt("a compressed header of another length")
    return raw


class _Counter:
    """Counts lists and maps as they are made: each takes far more memory than its one byte."""

    def __init__(self, max_values: int) -> None:
        self.max_values = max_values
        self.left = max_values

    def __call__(self, value: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            corrupt(f"more than {self.max_values} lists in its header")
        return value


def corrupt(what: str) -> NoReturn:
    """Raise the ContainerError of a file that declares something impossible."""
    raise ContainerError(f"corrupt .inrc file: it declares {what}")
