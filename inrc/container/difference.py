"""Plain metas, and how one differs from another.

A patch is a list [changed, inner, removed], shortened where its end is empty: new or other values
by key, patches by key for maps within the map, and keys that are gone. A patch that is a map
itself stands for the whole: keys in another order, say, which is kept too.
"""

from collections.abc import Mapping
from typing import Any

import msgpack

from inrc.errors import ContainerError

MAX_DEPTH = 32
MAX_KEYS = 1 << 24
_SIMPLE = {type(None), bool, float, str, bytes}
_INT_LOW, _INT_HIGH = -(1 << 63), (1 << 64) - 1  # what msgpack can say


class Budget:
    """Bounds the keys that many small patches of a large map may copy, one copy for each item."""

    def __init__(self) -> None:
        self.left = MAX_KEYS

    def spend(self, keys: int) -> None:
        """Count keys; raises ContainerError when there are too many."""
        self.left -= keys
        if self.left < 0:
            raise ContainerError(f"its items' metas have more than {MAX_KEYS} keys together")


def plain(value: Any, where: str, depth: int = MAX_DEPTH) -> Any:
    """A copy of a value made of None, bool, int, float, str, bytes, lists and dicts only.

    Tuples become lists and every Mapping a dict. `where` names the value in errors.

    Raises ContainerError, naming the place, for any other type, a key that is no string, an
    integer beyond 64 bits, or more than `depth` levels.
    """
    if depth < 0:
        raise ContainerError(f"{where:.80}: nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not _INT_LOW <= value <= _INT_HIGH:
            raise ContainerError(f"{where:.80}: an integer beyond 64 bits")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, list | tuple):
        if set(map(type, value)) <= _SIMPLE:  # long lists of coordinates
            return list(value)
        return [plain(each, f"{where}[{i}]", depth - 1) for i, each in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ContainerError(f"{where:.80}: the key {key!r:.40} is no string")
        return {str(key): plain(each, f"{where}.{key}", depth - 1) for key, each in value.items()}
    raise ContainerError(f"{where:.80}: a {type(value).__name__} is not a plain value")


def packed(value: Any) -> bytes:
    """The bytes of a plain value; equal bytes mean the same value, type, order and sign of zero."""
    return bytes(msgpack.packb(value, use_bin_type=True, unicode_errors="surrogatepass"))


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Any:
    """The patch that makes `new` of `old`, both plain."""
    changed: dict[str, Any] = {}
    inner: dict[str, Any] = {}
    for key, value in new.items():
        before = old.get(key)
        if key in old and packed(before) == packed(value):
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            step = difference(before, value)
            if isinstance(step, list):
                inner[key] = step
                continue
        changed[key] = value
    removed = [key for key in old if key not in new]
    if [key for key in old if key in new] + [key for key in new if key not in old] != list(new):
        return dict(new)
    patch = [changed, inner, removed]
    while patch and not patch[-1]:
        patch.pop()
    return patch


def apply(old: Mapping[str, Any], patch: Any, budget: Budget) -> Mapping[str, Any]:
    """What a patch makes of `old`, which stays as it is.

    Raises ContainerError if the patch is none, or does not fit.
    """
    if isinstance(patch, dict):
        return patch
    if not isinstance(patch, list) or len(patch) > 3:
        raise ContainerError("the difference of a meta cannot be read")
    if not patch:
        return old
    changed, inner, removed = patch + [{}, {}, []][len(patch) :]
    if not (isinstance(changed, dict) and isinstance(removed, list) and isinstance(inner, dict)):
        raise ContainerError("the difference of a meta cannot be read")
    budget.spend(len(old) + len(changed))
    new = dict(old)
    for key in removed:
        if not isinstance(key, str) or new.pop(key, _Absent) is _Absent:
            raise ContainerError("the meta of an item lacks a key that its file removes")
    for key, step in inner.items():
        before = new.get(key)
        if not isinstance(before, dict) or not isinstance(step, list):
            raise ContainerError("the meta of an item lacks a map that its file changes")
        new[key] = apply(before, step, budget)
    new.update(changed)
    return new


class _Absent:
    """Not a value of any key."""
