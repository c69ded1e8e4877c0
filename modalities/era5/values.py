"""Stored numbers to physical values and back: scale, offset, unsigned, and what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from inrc_modalities.era5.packing import unpack_attribute


@dataclass(frozen=True)
class Packing:
    """How a variable's numbers are stored (CF conventions 8.1, 2.5.1)."""

    dtype: np.dtype[Any]
    scale: float
    offset: float
    missing: tuple[Any, ...]
    """Stored numbers that mean that nothing is known, beside NaN."""
    unsigned: bool

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> "Packing":
        """From the description of a variable.

        Raises:
            ValueError: attributes that are no numbers.
        """
        dtype = np.dtype(entry["dtype"])
        attrs = {key: unpack_attribute(each) for key, each in entry["attrs"].items()}
        missing: list[Any] = []
        for key in ("_FillValue", "missing_value"):
            if key in attrs:
                missing += [_stored(each, dtype) for each in np.atleast_1d(attrs[key])]
        if "_FillValue" not in attrs and dtype.itemsize > 1:
            # what the library puts where nothing was written; bytes have none
            missing.append(np.asarray(netCDF4.default_fillvals[entry["dtype"]]).astype(dtype)[()])
        return cls(
            dtype,
            float(attrs.get("scale_factor", 1.0)),
            float(attrs.get("add_offset", 0.0)),
            tuple(each for each in missing if each is not None),
            dtype.kind == "i" and str(attrs.get("_Unsigned", "")).lower() == "true",
        )

    def unknown(self, stored: NDArray[Any]) -> NDArray[np.bool_]:
        """Where nothing is known."""
        found = np.isnan(stored) if self.dtype.kind == "f" else np.zeros(stored.shape, bool)
        for each in self.missing:
            found |= stored == each
        return found

    def unpack(self, stored: NDArray[Any]) -> NDArray[np.float64]:
        """Physical values; what is unknown becomes what it may."""
        numbers = stored.view(f"u{self.dtype.itemsize}") if self.unsigned else stored
        return numbers.astype(np.float64) * self.scale + self.offset

    def pack(self, values: NDArray[np.float64]) -> NDArray[Any]:
        """The nearest numbers that can be stored and do not mean that nothing is known."""
        numbers = (values - self.offset) / self.scale
        if self.dtype.kind == "f":
            stored = np.clip(numbers, *(np.finfo(self.dtype).min, np.finfo(self.dtype).max))
            return self._known(stored.astype(self.dtype), numbers)
        kind = np.dtype(f"u{self.dtype.itemsize}") if self.unsigned else self.dtype
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
        rounded = np.rint(np.nan_to_num(numbers))
        whole = np.where(rounded >= high, high, np.where(rounded <= low, low, 0)).astype(kind)
        inside = (rounded < high) & (rounded > low)
        whole[inside] = rounded[inside].astype(kind)
        return self._known(whole.view(self.dtype), numbers)

    def _known(self, stored: NDArray[Any], numbers: NDArray[np.float64]) -> NDArray[Any]:
        for _ in range(len(self.missing) + 1):  # a neighbour may be one of them too
            wrong = self.unknown(stored) & np.isfinite(numbers)
            if not wrong.any():
                break
            stored = stored.copy()
            stored[wrong] = self._beside(stored[wrong])
        return stored

    def _beside(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The next number towards zero, or 1 for zero."""
        if self.dtype.kind == "f":
            return np.where(stored == 0, self.dtype.type(1), np.nextafter(stored, 0)).astype(
                self.dtype
            )
        toward = np.where(stored > 0, -1, 1)
        # of unsigned numbers, adding -1 wraps around to one less
        beside: NDArray[Any] = stored + toward.astype(self.dtype)
        return beside


def _stored(value: Any, dtype: np.dtype[Any]) -> Any:
    """A sentinel as the variable's type would hold it; None if it cannot."""
    if isinstance(value, str | bytes):
        raise ValueError(f"{value!r:.20} is no number")
    if dtype.kind == "f":
        return None if np.isnan(value) else np.asarray(value).astype(dtype)[()]
    if not np.isfinite(value) or int(value) != value:
        return None
    info = np.iinfo(dtype)
    return dtype.type(int(value)) if info.min <= int(value) <= info.max else None
