"""The `.inrc` file: exact round trips, few bytes, and nothing but ContainerError from bad data."""

import lzma
import math
import struct
import zlib
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inrc.container import OWN, Archive, Card, Item, pack_archive, packed, peek, unpack_archive
from inrc.errors import ContainerError
from inrc.varint import write_varint

ID = b"\x00\x01abc\xff"
DEFAULT = Item("", {"shape": [4, 6], "attrs": {"units": "K", "scale": 0.1}, "dtype": "f4"}, 1)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(width=64)
    | st.text(max_size=8)
    | st.binary(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
metas = st.dictionaries(st.sampled_from("abcdef"), values, max_size=5)


def archive(*items: Item, payload: bytes = b"payload") -> Archive:
    return Archive(ID, 3, items, payload)


def sealed(body: bytes) -> bytes:
    """A body with a sound checksum, as a malicious writer would give it."""
    return body + struct.pack("<I", zlib.crc32(body))


def forged(block: bytes, count: int = 1, size: int | None = None) -> bytes:
    sizes = write_varint(count) + write_varint(len(block) if size is None else size)
    return sealed(b"\x89INR\x01" + ID + b"\x00" + sizes + block + b"xyz")


@given(metas, st.lists(metas, min_size=1, max_size=4), st.binary(max_size=20))
@settings(max_examples=150, deadline=None)
def test_round_trip_is_exact(default: dict, changed: list[dict], payload: bytes) -> None:
    items = tuple(Item(f"d/{i}.nc", meta, i + 1) for i, meta in enumerate(changed))
    back = unpack_archive(
        pack_archive(archive(*items, payload=payload), Item("", default, 1)), Item("", default, 1)
    )
    assert (back.model_id, back.quality, back.payload) == (ID, 3, payload)
    assert [(i.name, i.parts) for i in back.items] == [(i.name, i.parts) for i in items]
    # bytes tell 1 from 1.0 and True, 0.0 from -0.0, and know NaN and the order of keys
    assert [packed(i.meta) for i in back.items] == [packed(m) for m in changed]


def test_default_item_costs_fourteen_bytes_before_the_payload() -> None:
    data = pack_archive(archive(DEFAULT), DEFAULT)
    assert data.index(b"payload") == 14
    assert len(data) == 14 + len(b"payload") + 4
    assert unpack_archive(data, DEFAULT).items == (DEFAULT,)


def test_only_what_differs_is_stored() -> None:
    meta = {**DEFAULT.meta, "attrs": {"units": "K", "scale": 0.2}}
    data = pack_archive(archive(Item("", meta, 1)), DEFAULT)
    assert not any(key in data for key in (b"scale", b"units", b"shape", b"attrs"))
    assert len(data) <= 14 + 21 + 7 + 4  # nine of them are the number


def test_new_keys_and_removed_ones_come_back() -> None:
    meta = {"attrs": {"units": "K", "": 1, "\x01": 2, "\0": 3}, "dtype": "f4", "more": None}
    data = pack_archive(archive(Item("", meta, 1)), DEFAULT)
    assert unpack_archive(data, DEFAULT).items[0].meta == meta


def test_a_place_that_the_default_has_not_is_refused() -> None:
    data = pack_archive(archive(Item("", {**DEFAULT.meta, "dtype": "f8"}, 1)), DEFAULT)
    with pytest.raises(ContainerError, match="a key of a patch is not in the meta"):
        unpack_archive(data, Item("", {}, 1))


def test_many_similar_items_are_compressed() -> None:
    items = tuple(
        Item(f"t2m_{i:04}.nc", {**DEFAULT.meta, "time": 24.0 * i}, 1) for i in range(1000)
    )
    data = pack_archive(archive(*items), DEFAULT)
    assert unpack_archive(data, DEFAULT).items == items
    assert len(data) < 12_000


def test_values_that_compress_badly_are_stored_as_they_are() -> None:
    noise = bytes((i * 7919 + i * i * 31) % 251 for i in range(60))
    data = pack_archive(archive(Item("", {**DEFAULT.meta, "mask": noise}, 1)), DEFAULT)
    assert noise in data


def test_tuples_become_lists_and_the_order_of_keys_stays() -> None:
    meta = {"dtype": "f4", "shape": (4, 6), "attrs": {"scale": 0.1, "units": "K"}}
    back = unpack_archive(pack_archive(archive(Item("", meta, 1)), DEFAULT), DEFAULT).items[0].meta
    assert back == {"dtype": "f4", "shape": [4, 6], "attrs": {"scale": 0.1, "units": "K"}}
    assert list(back) == list(meta) and list(back["attrs"]) == ["scale", "units"]


def test_items_do_not_share_what_one_of_them_changes() -> None:
    one = {**DEFAULT.meta, "attrs": {"units": "C", "scale": 0.1}}
    items = (Item("a", one, 1), Item("b", DEFAULT.meta, 2), Item("c", one, 1))
    assert unpack_archive(pack_archive(archive(*items), DEFAULT), DEFAULT).items == items


def test_peek_needs_no_model() -> None:
    data = pack_archive(archive(Item("a.nc", {**DEFAULT.meta, "dtype": "f8"}, 5)), DEFAULT)
    seen = peek(data)
    assert (seen.version, seen.model_id, seen.quality, seen.payload) == (1, ID, 3, b"payload")
    assert [(e.name, e.patch, e.parts) for e in seen.entries] == [("a.nc", [{"\x03": "f8"}], 5)]
    assert data[seen.header_size :].startswith(b"payload")


class Odd:
    """Not a plain value."""


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Odd(), "meta.x: a Odd is not a plain value"),
        ({"y": [1, Odd()]}, r"meta.x.y\[1\]"),
        (1 << 64, "beyond 64 bits"),
        (-(1 << 63) - 1, "beyond 64 bits"),
        ({1: 2}, "the key 1 is not a string"),
        ({1.5}, "a set is not"),
    ],
)
def test_what_is_not_plain_is_refused_by_name(value: Any, says: str) -> None:
    with pytest.raises(ContainerError, match=says):
        pack_archive(archive(Item("", {"x": value}, 1)), DEFAULT)


def test_endless_nesting_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    with pytest.raises(ContainerError, match="nested too deeply"):
        pack_archive(archive(Item("", loop, 1)), DEFAULT)


@pytest.mark.parametrize(
    "name", ["../up", "/root", "a//b", "a/./b", "a\0b", "a\\b", "..", "n" * 5000]
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(ContainerError, match="item name"):
        pack_archive(archive(Item(name, {}, 1)), DEFAULT)
    with pytest.raises(ContainerError, match="item name"):
        unpack_archive(forged(b"\x00" + msgpack.packb([[name]])), DEFAULT)


@pytest.mark.parametrize(
    "broken",
    [
        Archive(b"short", 0, (DEFAULT,), b""),
        Archive(ID, 256, (DEFAULT,), b""),
        Archive(ID, -1, (DEFAULT,), b""),
        Archive(ID, 0, (), b""),
        Archive(ID, 0, (DEFAULT, DEFAULT), b""),
        Archive(ID, 0, (Item("a", {}, 0),), b""),
        Archive(ID, 0, (Item("a", {}, 1 << 31),), b""),
    ],
)
def test_what_could_not_be_read_is_not_written(broken: Archive) -> None:
    with pytest.raises(ContainerError):
        pack_archive(broken, DEFAULT)


def small() -> bytes:
    meta = {**DEFAULT.meta, "time": 1.5}
    return pack_archive(archive(Item("a.nc", meta, 2), Item("b.nc", meta, 1)), DEFAULT)


def test_every_wrong_byte_and_every_wrong_bit_is_caught() -> None:
    data = small()
    for at in range(len(data)):
        for wrong in range(1, 256):
            bad = bytearray(data)
            bad[at] ^= wrong
            with pytest.raises(ContainerError):
                unpack_archive(bytes(bad), DEFAULT)


def test_every_truncation_and_every_longer_file_is_caught() -> None:
    data = small()
    for length in range(len(data)):
        with pytest.raises(ContainerError):
            unpack_archive(data[:length], DEFAULT)
    for extra in range(256):
        with pytest.raises(ContainerError):
            unpack_archive(data + bytes([extra]), DEFAULT)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not an .inrc file"),
        (b"CDF\x01 and so on, for long enough", "not an .inrc file"),
        (b"\x89IN", "truncated"),
        (b"\x89INR\x01ab", "truncated"),
        (b"\x89INR\x07 of another layout altogether", "version 7 is newer than 1.*update inrc"),
        (sealed(b"\x89INR\x00" + ID + b"\0\x01\0"), "version 0"),
        (small()[:-1], "corrupt or truncated"),
    ],
)
def test_every_failure_has_its_own_line(data: bytes, says: str) -> None:
    with pytest.raises(ContainerError, match=says) as caught:
        unpack_archive(data, DEFAULT)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=60), st.sampled_from([0, 13]))
@settings(max_examples=300, deadline=None)
def test_random_bytes_raise_nothing_else(noise: bytes, at: int) -> None:
    start = (b"\x89INR\x01" + ID + b"\0\x01")[:at]
    for data in (start + noise, sealed(start + noise)):
        try:
            unpack_archive(data, DEFAULT)
        except ContainerError:
            pass


@given(st.sampled_from([0, 1, 2]), values | st.binary(max_size=40), st.integers(1, 3))
@settings(max_examples=300, deadline=None)
def test_malicious_headers_raise_nothing_else(way: int, value: Any, count: int) -> None:
    raw = value if isinstance(value, bytes) else msgpack.packb([value] * count)
    block = {
        0: raw,
        1: zlib.compress(raw, wbits=-15),
        2: lzma.compress(raw, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2}]),
    }[way]
    try:
        unpack_archive(forged(bytes([way]) + block, count), DEFAULT)
    except ContainerError:
        pass


def bomb(way: int, byte: bytes) -> bytes:
    """A header of 65 MiB in some kilobytes."""
    body = byte * (65 << 20)
    if way == 1:
        return b"\x01" + zlib.compress(body, 1, -15)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0}]
    return b"\x02" + lzma.compress(body, lzma.FORMAT_RAW, filters=filters)


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (bomb(1, b"\0"), "more than 23[0-9]{6} bytes"),
        (bomb(2, b"\0"), "more than 4[0-9]{6} bytes"),
        (b"\x03" + msgpack.packb([["a"]]), "compression 3"),
        (b"\x01\xff\xff", "cannot be decompressed"),
        (b"\x02\x05\x05", "cannot be decompressed"),
        (b"\x01" + zlib.compress(msgpack.packb([["a"]]), wbits=-15)[:-1], "of another length"),
        (b"\x01" + zlib.compress(msgpack.packb([["a"]]), wbits=-15) + b"!", "of another length"),
        (b"\x00", "cannot be read"),
        (b"\x00\xdd\xff\xff\xff\xff", "cannot be read"),  # a list of 2**32 - 1
        (b"\x00\xdf\xff\xff\xff\xff", "cannot be read"),  # a map as long
        (b"\x00\xc6\xff\xff\xff\xff", "cannot be read"),  # as many bytes
        (b"\x00" + b"\x91" * 100_000, "cannot be read"),
        (b"\x00" + b"\x91" * 500 + b"\x01", "nested too deeply"),
        (b"\x00" + msgpack.packb([["a"]]) + b"!", "trailing bytes"),
        (b"\x00" + msgpack.packb([["a"], ["b"]]), "another number of items"),
        (b"\x00" + msgpack.packb([["a", [], None, 1]]), "an invalid item entry"),
        (b"\x00" + msgpack.packb([[7]]), "an invalid item entry"),
        (b"\x00" + msgpack.packb([["a", 7]]), "is not a difference"),
        (b"\x00" + msgpack.packb([["a", [], 0]]), "0 parts"),
        (b"\x00" + msgpack.packb([["a", [], True]]), "True parts"),
        (b"\x00" + msgpack.packb([["a", [], 1 << 40]]), "parts"),
        (
            b"\x00" + msgpack.packb([["a", [{}, {}, ["nothing"]]]]),
            "removed key is not in the meta|a key of a patch",
        ),
        (b"\x00" + msgpack.packb([["a", [{}, {"dtype": []}]]]), "is not in the meta"),
        (b"\x00" + msgpack.packb([["a", [1, 2, 3]]]), "cannot be read"),
        (b"\x00" + msgpack.packb([["a", [{}, {}, [], {}]]]), "cannot be read"),
        (b"\x00" + msgpack.packb([["a", [{"x": msgpack.Timestamp(1)}]]]), "plain value"),
        (b"\x00" + msgpack.packb([["a", {b"x": 1}]]), "not a string"),
    ],
)
def test_forged_headers_are_named(block: bytes, says: str) -> None:
    with pytest.raises(ContainerError, match=says) as caught:
        unpack_archive(forged(block), DEFAULT)
    assert "\n" not in str(caught.value)


def test_impossible_counts_and_sizes_are_named() -> None:
    with pytest.raises(ContainerError, match="0 items"):
        unpack_archive(forged(b"", count=0), DEFAULT)
    with pytest.raises(ContainerError, match="a header of 4000000000 bytes"):
        unpack_archive(forged(b"", size=4_000_000_000), DEFAULT)
    with pytest.raises(ContainerError, match="without an end"):
        unpack_archive(sealed(b"\x89INR\x01" + ID + b"\0" + b"\xff" * 12), DEFAULT)
    many = b"\xff\xff\xff\x7f\x00"  # more items than there may be
    with pytest.raises(ContainerError, match="268435455 items"):
        unpack_archive(sealed(b"\x89INR\x01" + ID + b"\0" + many), DEFAULT)


def test_small_patches_of_a_large_map_do_not_fill_the_memory() -> None:
    wide = {f"k{i}": 0 for i in range(100_000)}
    rows = [["0", wide]] + [[str(i), [{"x": i}]] for i in range(1, 500)]
    block = b"\x01" + zlib.compress(msgpack.packb(rows), wbits=-15)
    with pytest.raises(ContainerError, match="more than 16777216 keys together"):
        unpack_archive(forged(block, 500), DEFAULT)
    with pytest.raises(ContainerError, match="more than 150000 keys together"):
        unpack_archive(forged(block, 500), DEFAULT, max_keys=150_000)


def test_nan_and_negative_zero_are_kept() -> None:
    meta = {"fill": math.nan, "low": -0.0}
    back = unpack_archive(pack_archive(archive(Item("", meta, 1)), DEFAULT), DEFAULT).items[0].meta
    assert math.isnan(back["fill"]) and math.copysign(1.0, back["low"]) == -1.0
    assert len(pack_archive(archive(Item("", meta, 1)), Item("", meta, 1))) == 14 + 7 + 4


CARD = Card("image", {"patch": None, "channels": 3}, "coin", {"width": 20, "depth": 5})
NONE = Item("", {}, 1)


def own(card: Card | None = CARD, model_id: bytes = OWN) -> bytes:
    item = Item("", {"shape": [4, 6]}, 1)
    return pack_archive(Archive(model_id, 1, (item,), b"payload", card), NONE)


@given(st.text(max_size=8), metas, metas)
@settings(max_examples=50, deadline=None)
def test_a_card_comes_back_exactly(name: str, one: dict, two: dict) -> None:
    data = own(Card(name, one, "m", two))
    seen = peek(data)
    assert seen.card is not None and (seen.card.modality, seen.card.method) == (name, "m")
    assert packed(seen.card.modality_settings) == packed(one)
    assert packed(seen.card.method_settings) == packed(two)
    # the card is a part of the header, behind a length of one or two bytes
    size = len(data) - len(own()) + peek(own()).card_size
    assert size - 1 <= seen.card_size <= size
    assert data[seen.header_size :].startswith(b"payload")


def test_a_card_and_a_model_exclude_each_other() -> None:
    for card, model_id in ((None, OWN), (CARD, ID)):
        with pytest.raises(ContainerError, match="a card goes with"):
            own(card, model_id)
    assert peek(own()).card == CARD
    assert peek(small()).card is None and peek(small()).card_size == 0


def test_every_wrong_byte_of_a_card_is_caught() -> None:
    data = own()
    for at in range(len(data)):
        for wrong in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            bad = bytearray(data)
            bad[at] ^= wrong
            with pytest.raises(ContainerError):
                peek(bytes(bad))
            resealed = sealed(bytes(bad[:-4]))
            try:  # a sound checksum over nonsense raises nothing else
                peek(resealed)
            except ContainerError as error:
                assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("card", "says"),
    [
        (b"", "a card of 0 bytes"),
        (b"\x00" + msgpack.packb(["a", {}, "b"]), "an invalid card"),
        (b"\x00" + msgpack.packb(["a", {}, "b", []]), "an invalid card"),
        (b"\x00" + msgpack.packb({"a": 1}), "an invalid card"),
        (b"\x00" + msgpack.packb(["a", {1: 2}, "b", {}]), "not a string|cannot be read"),
        (b"\x05" + msgpack.packb(["a", {}, "b", {}]), "compression 5"),
        (bomb(1, b"\0")[:60_000], "cannot be|of another length|more than"),
        (b"\x00" + b"\x91" * 60_000, "cannot be read"),
    ],
)
def test_forged_cards_are_named(card: bytes, says: str) -> None:
    start = b"\x89INR\x01" + OWN + b"\0"
    body = start + write_varint(len(card)) + card
    with pytest.raises(ContainerError, match=says) as caught:
        peek(sealed(body + b"\x01\0"))
    assert "\n" not in str(caught.value)
    with pytest.raises(ContainerError, match="a card of 268435455 bytes"):
        peek(sealed(start + b"\xff\xff\xff\x7f" + card + b"more"))
