"""Plain metas, and how one differs from another.

A patch is a list [changed, inner, removed] without its empty end: new or changed values by key,
patches by key for maps within the map, and keys that are removed. A patch that is a map itself
replaces the whole, for instance where the keys are in another order.

A key of the old map is written as its place there, one character from U+0001 on; a new key is
written after U+0000.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgpack

from inrc.errors import ContainerError

MAX_DEPTH = 32
MAX_KEYS = 1 << 24
MAX_PLACES = 0xD7FF  # below the surrogates, which are no characters
_SIMPLE = {type(None), bool, float, str, bytes}
_INT_LOW, _INT_HIGH = -(1 << 63), (1 << 64) - 1  # what msgpack can say


class Budget:
    """Limits the keys of all metas together: every item has a copy of the map that it patches."""

    def __init__(self, max_keys: int = MAX_KEYS) -> None:
        self.max_keys = max_keys
        self.left = max_keys

    def spend(self, keys: int) -> None:
        """Count keys; raises ContainerError when there are too many."""
        self.left -= keys
        if self.left < 0:
            raise ContainerError(f"its items' metas have more than {self.max_keys} keys together")


def plain(value: Any, where: str, depth: int = MAX_DEPTH) -> Any:
    """A copy of a value made of None, bool, int, float, str, bytes, lists and dicts only.

    Tuples become lists and every Mapping a dict. `where` names the value in errors.

    Raises:
        ContainerError: any other type, a key that is not a string, an integer beyond 64 bits, or
            more than `depth` levels; the message names the place.
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
                raise ContainerError(f"{where:.80}: the key {key!r:.40} is not a string")
        return {str(key): plain(each, f"{where}.{key}", depth - 1) for key, each in value.items()}
    raise ContainerError(f"{where:.80}: a {type(value).__name__} is not a plain value")


def packed(value: Any) -> bytes:
    """The bytes of a plain value; equal bytes mean equal values, types, order and signs of zero."""
    return bytes(msgpack.packb(value, use_bin_type=True, unicode_errors="surrogatepass"))


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Any:
    """The patch that turns `old` into `new`, both plain."""
    changed: dict[str, Any] = {}
    inner: dict[str, Any] = {}
    if len(old) >= MAX_PLACES:
        return dict(new)
    places = {key: chr(place + 1) for place, key in enumerate(old)}
    for key, value in new.items():
        before = old.get(key)
        code = places.get(key, "\0" + key)
        if key in old and packed(before) == packed(value):
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            step = difference(before, value)
            if isinstance(step, list):
                inner[code] = step
                continue
        changed[code] = value
    removed = [places[key] for key in old if key not in new]
    if [key for key in old if key in new] + [key for key in new if key not in old] != list(new):
        return dict(new)
    patch = [changed, inner, removed]
    while patch and not patch[-1]:
        patch.pop()
    return patch


def apply(old: Mapping[str, Any], patch: Any, budget: Budget) -> Mapping[str, Any]:
    """The map that a patch makes of `old`, which is not changed.

    Raises:
        ContainerError: the patch is malformed or does not fit.
    """
    if isinstance(patch, dict):
        return patch
    if not isinstance(patch, list) or len(patch) > 3:
        raise ContainerError("corrupt .inrc file: the difference of a meta cannot be read")
    if not patch:
        return old
    changed, inner, removed = patch + [{}, {}, []][len(patch) :]
    if not (isinstance(changed, dict) and isinstance(removed, list) and isinstance(inner, dict)):
        raise ContainerError("corrupt .inrc file: the difference of a meta cannot be read")
    budget.spend(len(old) + len(changed))
    new = dict(old)
    keys = list(old)
    for code in removed:
        if not isinstance(code, str) or new.pop(_key(code, keys), _Absent) is _Absent:
            raise ContainerError("corrupt .inrc file: a removed key is not in the meta")
    for code, step in inner.items():
        key = _key(code, keys)
        before = new.get(key)
        if not isinstance(before, dict) or not isinstance(step, list):
            raise ContainerError("corrupt .inrc file: a changed map is not in the meta")
        new[key] = apply(before, step, budget)
    new.update((_key(code, keys), value) for code, value in changed.items())
    return new


def _key(code: str, keys: Sequence[str]) -> str:
    """The key that a code of a patch stands for, given the keys of the old map."""
    if code[:1] == "\0":
        return code[1:]
    if len(code) != 1 or ord(code) > len(keys):
        raise ContainerError("corrupt .inrc file: a key of a patch is not in the meta")
    return keys[ord(code) - 1]


class _Absent:
    """Not a value of any key."""
