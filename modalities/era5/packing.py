"""Arrays and attributes as plain values that are small and come back bit by bit."""

import lzma
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "S1")
"""What a NetCDF variable may hold, beside "str"."""

_STORED, _ZLIB, _LZMA = 0, 1, 2
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6}]


def squeeze(raw: bytes) -> bytes:
    """The shortest of raw, zlib and LZMA2 bytes, after one byte that says which."""
    return min(
        (
            bytes([_STORED]) + raw,
            bytes([_ZLIB]) + zlib.compress(raw, 9),
            bytes([_LZMA]) + lzma.compress(raw, lzma.FORMAT_RAW, filters=_FILTERS),
        ),
        key=len,
    )


def unsqueeze(data: bytes, size: int) -> bytes:
    """The raw bytes, exactly `size` of them; decompression stops there.

    Raises:
        ValueError: damaged, or of another size.
    """
    kind, body = data[:1], data[1:]
    try:
        if kind == bytes([_ZLIB]):
            raw = zlib.decompressobj().decompress(body, size + 1)
        elif kind == bytes([_LZMA]):
            raw = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS).decompress(
                body, size + 1
            )
        else:
            raw = body
    except (zlib.error, lzma.LZMAError) as error:
        raise ValueError(f"damaged bytes ({error})") from None
    if len(raw) != size:
        raise ValueError(f"{len(raw)} bytes where {size} belong")
    return raw


def pack(array: NDArray[Any]) -> dict[str, Any]:
    """An array of any of DTYPES, or of str objects, as a plain value without dtype and shape.

    An arithmetic progression is its start and step; integers are differences where that is
    shorter.
    """
    if array.dtype == object:
        return {"text": [str(each) for each in array.reshape(-1)]}
    array = _little(array)
    if array.ndim == 1 and array.size > 0 and array.dtype.kind in "fiu":
        for step in _steps(array):
            start = array[0].item()
            try:
                same = _progression(start, step, array.size, array.dtype)
            except (ValueError, OverflowError):
                continue
            if same.tobytes() == array.tobytes():
                return {"start": start, "step": step}
    packed = {"bytes": squeeze(array.tobytes())}
    if array.ndim == 1 and array.size > 2 and array.dtype.kind in "iu":
        steps = np.diff(array, prepend=array.dtype.type(0))  # wraps around, and back again
        planes = steps.view("u1").reshape(-1, array.dtype.itemsize).T.tobytes()
        other = {"steps": squeeze(planes)}
        packed = min(packed, other, key=lambda each: len(next(iter(each.values()))))
    return packed


def unpack(plain: dict[str, Any], dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """The array that `pack` was given.

    Raises:
        ValueError: damaged, or of another dtype or shape.
    """
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if dtype == "str":
        text = plain["text"]
        if len(text) != count or not all(isinstance(each, str) for each in text):
            raise ValueError(f"not {count} strings")
        array = np.empty(count, object)
        array[:] = text
        return array.reshape(shape)
    kind = np.dtype(dtype).newbyteorder("<")
    if "start" in plain:
        return _progression(plain["start"], plain["step"], count, kind).reshape(shape)
    if "steps" in plain:
        planes = np.frombuffer(unsqueeze(plain["steps"], count * kind.itemsize), "u1")
        steps = np.ascontiguousarray(planes.reshape(kind.itemsize, count).T).view(kind)[:, 0]
        total: NDArray[Any] = np.cumsum(steps, dtype=kind)
        return total.reshape(shape)
    raw = unsqueeze(plain["bytes"], count * kind.itemsize)
    return np.frombuffer(raw, kind).reshape(shape)


def pack_attribute(value: Any) -> Any:
    """A NetCDF attribute as a plain value: text as it is, numbers below the name of their type.

    Raises:
        ValueError: of a type made by a user.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return list(value)
    array = np.asarray(value)
    if array.dtype.str[1:] not in DTYPES:
        raise ValueError(f"of type {array.dtype}, which is not kept")
    return {array.dtype.str[1:]: array.tolist()}


def unpack_attribute(plain: Any) -> Any:
    """The attribute that `pack_attribute` was given.

    Raises:
        ValueError: damaged.
    """
    if isinstance(plain, str):
        return plain
    if isinstance(plain, list | tuple):
        return [str(each) for each in plain]
    ((kind, value),) = plain.items()
    if kind not in DTYPES:
        raise ValueError(f"an attribute of type {kind!r:.20}")
    array = np.asarray(value, dtype=kind)
    return array if array.ndim else array[()]


def _little(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)


def _steps(array: NDArray[Any]) -> list[int] | list[float]:
    """What the step of a progression may be: the first, or, rounding apart, the mean one."""
    if array.size == 1:
        return [0]
    first, second, last = (array[i].item() for i in (0, 1, -1))
    if array.dtype.kind != "f":
        return [second - first]
    if not np.isfinite(array).all():
        return []
    mean = (last - first) / (array.size - 1)
    return [second - first, mean, float(f"{mean:.7g}")]  # as a person may have typed it


def _progression(start: float, step: float, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """In float64 or, for integers, exactly: the same on every machine."""
    if dtype.kind == "f":
        return (np.float64(start) + np.float64(step) * np.arange(count)).astype(dtype)
    if not (isinstance(start, int) and isinstance(step, int)):
        raise ValueError("not integers")
    last = start + step * (count - 1)
    info = np.iinfo(dtype)
    if not (info.min <= min(start, last) and max(start, last) <= info.max):
        raise ValueError("integers out of range")
    wide = np.uint64 if dtype.kind == "u" else np.int64
    steps = np.arange(count, dtype=wide) * np.asarray(step % (1 << 64), np.uint64).astype(wide)
    return (np.asarray(start).astype(wide) + steps).astype(dtype)
