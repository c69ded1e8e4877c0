"""Damage to the bytes of small files, for property tests."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from inrc.errors import SignalError

WORDS = (bytes(4), b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\1")
_HEAD = 300  # bytes at the beginning, in which half of the damage is


def mutated(content: bytes, data: st.DataObject) -> bytes:
    """Some bytes changed, overwritten, inserted, removed, or the end cut off."""
    result = bytearray(content)
    for _ in range(data.draw(st.sampled_from([1, 1, 2, 5]))):
        if not result:
            break
        limit = data.draw(st.sampled_from([len(result), min(len(result), _HEAD)]))
        at = data.draw(st.integers(0, limit - 1))
        match data.draw(st.sampled_from(["flip", "byte", "word", "remove", "insert", "cut"])):
            case "flip":
                result[at] ^= 1 << data.draw(st.integers(0, 7))
            case "byte":
                result[at] = data.draw(st.integers(0, 255))
            case "word":
                result[at : at + 4] = data.draw(st.sampled_from(WORDS))
            case "remove":
                del result[at : at + data.draw(st.integers(1, 40))]
            case "insert":
                result[at:at] = data.draw(st.binary(min_size=1, max_size=8))
            case "cut":
                del result[at:]
    return bytes(result)


def check_refusals(
    paths: Sequence[Path], functions: Sequence[Callable[[Path], Any]], data: st.DataObject
) -> None:
    """Each function takes a damaged copy of one of the files, or refuses it in one line."""
    path = data.draw(st.sampled_from(paths))
    damaged = path.with_name(f"damaged{path.suffix}")
    damaged.write_bytes(mutated(path.read_bytes(), data))
    for function in functions:
        try:
            function(damaged)
        except SignalError as error:
            assert str(error).startswith(f"{damaged}: ") and "\n" not in str(error)
