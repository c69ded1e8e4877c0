"""Stored numbers to physical values and back: scale, offset, sign, and what counts as missing.

A stored number is missing if any common reader masks it (netCDF4-python, xarray), or if the
NetCDF User's Guide says so: NaN, `_FillValue`, `missing_value` (a vector too), the default fill
value, and whatever lies outside `valid_range`, `valid_min` and `valid_max`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from inrc_modalities.era5.packing import unpack_attribute


@dataclass(frozen=True)
class Packing:
    """How a variable's numbers are stored (CF conventions 2.5.1 and 8.1).

    A *number* is a stored value with the sign that `_Unsigned` gives it.
    """

    dtype: np.dtype[Any]
    numbers: np.dtype[Any]
    """Type of the numbers, as wide as `dtype`."""
    scale: float
    offset: float
    missing: tuple[Any, ...]
    """Numbers that mean that the value is missing, beside NaN."""
    valid: tuple[float, float]
    """Smallest and largest valid number; infinite where the file declares none."""
    masked: tuple[float, float]
    """The same as netCDF4-python takes it, which compares packed numbers with every limit."""

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Packing":
        """From the description of a variable.

        Raises:
            ValueError: a scale or an offset that is not a number, or a scale of 0.
        """
        dtype = np.dtype(entry["dtype"])
        attrs = {key: unpack_attribute(each) for key, each in entry["attrs"].items()}
        numbers = _numbers(dtype, str(attrs.get("_Unsigned", "")).lower())
        scale = float(attrs.get("scale_factor", 1.0))
        offset = float(attrs.get("add_offset", 0.0))
        if scale == 0.0 or not (math.isfinite(scale) and math.isfinite(offset)):
            raise ValueError(f"scale_factor {scale}, add_offset {offset}")
        missing = [
            _number(each, dtype, numbers)
            for key in ("_FillValue", "missing_value")
            for each in _listed(attrs.get(key))
        ]
        # netCDF4 masks the default fill value, of bytes only where the variable is prefilled
        if "_FillValue" not in attrs and (dtype.itemsize > 1 or entry["store"].get("fill", True)):
            missing.append(_number(netCDF4.default_fillvals[entry["dtype"]], dtype, numbers))
        known = tuple(dict.fromkeys(each for each in missing if each is not None))
        valid, masked = _valid(attrs, dtype, numbers, scale, offset)
        return cls(dtype, numbers, scale, offset, known, valid, masked)

    def unknown(self, stored: NDArray[Any]) -> NDArray[np.bool_]:
        """Where a value is missing."""
        return self.marked(stored) | self.outside(stored)

    def marked(self, stored: NDArray[Any]) -> NDArray[np.bool_]:
        """Where a number marks a missing value: NaN, a fill value, a missing value."""
        numbers = stored.view(self.numbers)
        marked = np.isnan(numbers) if self.dtype.kind == "f" else np.zeros(numbers.shape, bool)
        for each in self.missing:
            marked |= numbers == each
        return marked

    def outside(self, stored: NDArray[Any]) -> NDArray[np.bool_]:
        """Where a number lies outside the valid range; False for NaN."""
        return _beyond(stored.view(self.numbers), self.valid)

    def disputed(self, stored: NDArray[Any]) -> int:
        """How many valid values netCDF4-python masks: limits in the units of unpacked values."""
        if self.masked == self.valid:
            return 0
        beyond = _beyond(stored.view(self.numbers), self.masked)
        return int((beyond & ~self.unknown(stored)).sum())

    def unpack(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """Physical values; arbitrary where they are missing."""
        values = stored.view(self.numbers).astype(np.float64)
        values *= self.scale  # in place: a copy of a large field is memory that decoding lacks
        values += self.offset
        return values

    def pack(self, values: NDArray[np.float64]) -> NDArray[Any]:
        """The nearest stored values that are valid and not missing."""
        numbers = (values - self.offset) / self.scale
        low, high = self._limits()
        if self.numbers.kind == "f":
            stored = np.clip(numbers, low, high).astype(self.numbers)
        else:
            rounded = np.rint(np.nan_to_num(numbers))
            stored = np.full(numbers.shape, low, self.numbers)
            stored[rounded >= high] = high
            inside = (rounded < high) & (rounded > low)
            stored[inside] = rounded[inside].astype(self.numbers)
        finite = np.isfinite(numbers)
        for each in self.missing:
            if low <= each <= high:
                stored[(stored == each) & finite] = self._beside(each, low, high)
        return stored.view(self.dtype)

    def _limits(self) -> tuple[Any, Any]:
        """Smallest and largest number that is valid and that the type can hold."""
        least, most = max(self.valid[0], self.masked[0]), min(self.valid[1], self.masked[1])
        kind = self.numbers.type
        if self.numbers.kind == "f":
            ends = np.finfo(self.numbers)
            low, high = kind(max(least, float(ends.min))), kind(min(most, float(ends.max)))
            # a limit of more digits than the type may have been rounded outwards
            low = np.nextafter(low, kind(np.inf)) if float(low) < least else low
            high = np.nextafter(high, kind(-np.inf)) if float(high) > most else high
            return (low, high) if low <= high else (ends.min, ends.max)
        info = np.iinfo(self.numbers)
        low = info.min if least <= info.min else math.ceil(min(least, 2.0**64))
        high = info.max if most >= info.max else math.floor(max(most, -(2.0**64)))
        # an empty valid range makes every value missing; any number will do
        return (low, high) if info.min <= low <= high <= info.max else (info.min, info.max)

    def _beside(self, number: Any, low: Any, high: Any) -> Any:
        """The valid number nearest to one that means missing."""
        toward = -1 if number > 0 else 1
        first = second = number
        for _ in range(len(self.missing) + 1):
            first, second = self._next(first, toward), self._next(second, -toward)
            for each in (first, second):
                if low <= each <= high and each not in self.missing:
                    return each
        return number

    def _next(self, number: Any, sign: int) -> Any:
        if self.numbers.kind != "f":
            return int(number) + sign
        if number == 0.0:  # not a subnormal number, which some processors take for 0
            return self.numbers.type(sign * np.finfo(self.numbers).tiny)
        return np.nextafter(number, self.numbers.type(sign * np.inf))


def _numbers(dtype: np.dtype[Any], unsigned: str) -> np.dtype[Any]:
    """The type of a variable's numbers: `_Unsigned` changes the sign of integers."""
    if dtype.kind == "i" and unsigned == "true":
        return np.dtype(f"u{dtype.itemsize}")
    if dtype.kind == "u" and unsigned == "false":
        return np.dtype(f"i{dtype.itemsize}")
    return dtype


def _listed(value: Any) -> list[Any]:
    """The numbers in an attribute: a scalar, a vector or text; other text holds none."""
    if value is None:
        return []
    if isinstance(value, str | list):
        try:
            return [float(each) for each in ([value] if isinstance(value, str) else value)]
        except ValueError:
            return []
    array = np.asarray(value).ravel()
    return list(array) if array.dtype.kind in "iuf" else []


def _number(value: Any, dtype: np.dtype[Any], numbers: np.dtype[Any]) -> Any:
    """A number as the variable holds it; None if it cannot."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            number = np.asarray(value).astype(dtype)[()]
        return number if np.isfinite(number) or np.isinf(value) else None
    if not np.isfinite(value) or int(value) != value:
        return None
    for kind in (numbers, dtype):  # 255 and, of the stored type, -1 are the same byte
        info = np.iinfo(kind)
        if info.min <= int(value) <= info.max:
            return np.asarray(int(value), kind).view(numbers)[()]
    return None


def _valid(
    attrs: Mapping[str, Any],
    dtype: np.dtype[Any],
    numbers: np.dtype[Any],
    scale: float,
    offset: float,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The smallest and largest valid number, and the same as netCDF4-python takes it."""
    pair = _listed(attrs.get("valid_range"))
    ends = pair if len(pair) == 2 else [
        next(iter(_listed(attrs.get(key))), math.nan) for key in ("valid_min", "valid_max")
    ]  # fmt: skip
    plain = [float(end) for end in ends]
    if dtype.kind == "i" and numbers.kind == "u":
        plain = [end + 2.0 ** (8 * dtype.itemsize) if end < 0 else end for end in plain]
    packed = "scale_factor" in attrs or "add_offset" in attrs
    floats = any(np.asarray(end).dtype.kind == "f" for end in ends if not math.isnan(end))
    if not (packed and floats and dtype.kind != "f"):
        return _ordered(plain), _ordered(plain)
    # User's Guide, appendix A: limits of the unpacked type are limits of unpacked values
    limits = []
    for end in plain:
        limit = (end - offset) / scale
        whole = round(limit) if math.isfinite(limit) else limit
        # rounding errors must not exclude a number whose value is the limit
        limits.append(whole if abs(limit - whole) < 1e-6 * max(1.0, abs(limit)) else limit)
    cast = [end.is_integer() for end in plain]  # netCDF4-python ignores what it cannot cast
    if len(pair) == 2 and not all(cast):
        cast = [False, False]
    masked = [end if fits else math.nan for end, fits in zip(plain, cast, strict=True)]
    return _ordered(limits if scale > 0 else limits[::-1]), _ordered(masked)


def _ordered(ends: list[float]) -> tuple[float, float]:
    """Two limits, infinite where there is none."""
    low, high = ends
    return -math.inf if math.isnan(low) else low, math.inf if math.isnan(high) else high


def _beyond(numbers: NDArray[Any], limits: tuple[float, float]) -> NDArray[np.bool_]:
    return (numbers < np.float64(limits[0])) | (numbers > np.float64(limits[1]))
