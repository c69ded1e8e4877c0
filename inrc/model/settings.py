"""Settings that come out of a file: checked against the signature of the class that takes them."""

import inspect
import math
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from inrc.errors import ModelError


def check_settings(kind: type, settings: Any) -> None:
    """Check that settings are arguments of a class, each of the type that its annotation says.

    Numbers must be finite. Annotations other than of plain values are not checked.

    Raises:
        ModelError: they are not.
    """
    if not isinstance(settings, dict) or not all(isinstance(key, str) for key in settings):
        raise ModelError(f"{kind.__name__}: its settings are not a map of names")
    hints = get_type_hints(kind.__init__)  # type: ignore[misc]
    names = inspect.signature(kind).parameters
    for name, value in settings.items():
        if name not in names:
            raise ModelError(f"{kind.__name__}: has no setting {name!r:.40}")
        if not _fits(value, hints.get(name, Any)):
            raise ModelError(f"{kind.__name__}: its setting {name} cannot be {value!r:.40}")


def _fits(value: Any, hint: Any) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if origin in (list, tuple, Sequence):
        inside = [each for each in get_args(hint) if each is not Ellipsis] or [Any]
        return isinstance(value, list | tuple) and all(
            _fits(each, inside[min(i, len(inside) - 1)]) for i, each in enumerate(value)
        )
    if origin in (dict, Mapping):
        key, inside_value = get_args(hint)
        return isinstance(value, dict) and all(
            _fits(k, key) and _fits(v, inside_value) for k, v in value.items()
        )
    if hint is float:
        return type(value) in (int, float) and abs(value) < 1e300
    if hint in (int, bool, str, bytes):
        return type(value) is hint
    return value is None if hint in (None, type(None)) else True
