"""Names of items, previews of headers, and limits that follow the size of a file."""

import zlib

import msgpack
import pytest
from test_container import DEFAULT, archive, forged

from inrc.container import Item, pack_archive, peek, unpack_archive
from inrc.errors import ContainerError


@pytest.mark.parametrize(
    "names", [["a", "a"], ["a", "a/b"], ["a/b", "a/b-", "a/b/c"], ["", "x", ""]], ids=str
)
def test_names_that_exclude_each_other_are_refused(names: list[str]) -> None:
    with pytest.raises(ContainerError, match=r"two items|as a file and as a folder"):
        pack_archive(archive(*(Item(name, {}, 1) for name in names)), DEFAULT)
    with pytest.raises(ContainerError, match=r"two items|as a file and as a folder"):
        peek(forged(b"\x00" + msgpack.packb([[name] for name in names]), len(names)))


def test_names_that_only_look_alike_are_kept() -> None:
    items = tuple(
        Item(name, {}, 1) for name in ("a", "a.b/c", "ab", "A", "b/a", "b/a-", "c/" * 2000 + "d")
    )
    assert unpack_archive(pack_archive(archive(*items), DEFAULT), DEFAULT).items == items


def test_a_preview_reads_no_more_than_it_shows() -> None:
    items = tuple(
        Item(f"{i:06}.nc", {**DEFAULT.meta, "time": 24.0 * i}, 1 + i) for i in range(3_000)
    )
    data = pack_archive(archive(*items), DEFAULT)
    seen = peek(data, 3)
    assert seen.count == len(items) and seen.payload == b"payload"
    assert [(e.name, e.parts) for e in seen.entries] == [
        ("000000.nc", None),
        ("000001.nc", 2),
        ("000002.nc", 3),
    ]
    # an entry that is larger than what a preview looks at ends it
    large = pack_archive(
        archive(Item("a", {"x": bytes(range(256)) * 8000}, 1), Item("b", {}, 1)), DEFAULT
    )
    assert peek(large, 5).count == 2 and peek(large, 5).entries == ()
    with pytest.raises(ContainerError, match="corrupt"):
        peek(forged(b"\x00" + msgpack.packb([[7]])), 5)


def test_a_small_header_stays_small_in_memory() -> None:
    raw = msgpack.packb([["a", [{"x": [[]] * 100_000}]]])
    with pytest.raises(ContainerError, match=r"more than 6[0-9]{4} lists"):
        peek(forged(b"\x01" + zlib.compress(raw, 9, -15)))


def test_a_block_that_could_not_be_read_is_written_otherwise() -> None:
    flat = Item("", {"mask": bytes(6 << 20)}, 1)  # deflate makes a thousandth of it
    data = pack_archive(archive(flat), DEFAULT)
    assert unpack_archive(data, DEFAULT).items == (flat,) and len(data) > 6 << 20
