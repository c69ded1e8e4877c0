"""What the meta of a file declares, checked before anything is allocated.

A meta describes the NetCDF file that will be written: `format`, `suffix`, `dims` (name: size),
`unlimited`, `attrs`, and `variables` by name, in order, each with `dtype`, `dims`, `attrs`,
`store`, and either its values (`data`) or, for a field that the model decodes, its `level`
dimension, its `mask` (None, packed, or the name of a variable that has the same), and `of`, what
the model calls it, if that is another name. `lat` and `lon`
name the coordinates, `lead` the other dimensions, whose every combination is a part.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.era5 import layout, masks, packing, sphere, units
from inrc_modalities.era5.storage import FORMATS, SUFFIXES
from inrc_modalities.era5.survey import check_axis

LIMIT = 1 << 30
"""Most values of a variable or a file: 4 GiB in memory as float32."""


@dataclass(frozen=True)
class Header:
    """A checked meta."""

    meta: Mapping[str, Any]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    lead: tuple[int, ...]

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> "Header":
        """Check a meta.

        Raises:
            SignalError: it does not describe a NetCDF file, or one larger than LIMIT.
        """
        try:
            return cls._of(meta)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise SignalError(
                f"era5: a header that does not describe a grid ({error!r:.120})"
            ) from None

    @classmethod
    def _of(cls, meta: Mapping[str, Any]) -> "Header":
        dims, variables = meta["dims"], meta["variables"]
        if not all(type(n) is int and 0 <= n for n in dims.values()):
            raise ValueError("dims")
        if meta["format"] not in FORMATS or meta["suffix"] not in SUFFIXES:
            raise ValueError("format")
        fields = [entry for entry in variables.values() if "data" not in entry]
        lead = tuple(dims[dim] for dim in meta["lead"])
        if not fields or 0 in lead:
            raise ValueError("no fields")
        for entry in variables.values():
            layout.check(entry, dims)
            size = prod(dims[dim] for dim in entry["dims"])
            if size > LIMIT:
                raise SignalError(f"era5: a variable of {size} values; {LIMIT} at most")
        grid = [variables[meta[axis]]["dims"] for axis in ("lat", "lon")]
        for entry in fields:
            level = [] if entry["level"] is None else [entry["level"]]
            wanted = [*meta["lead"], *level, *grid[0], *grid[1]]
            if sorted(wanted) != sorted(entry["dims"]) or entry["dtype"] not in packing.DTYPES:
                raise ValueError("dims of a field")
        lat, lon = (
            coordinate(variables[meta[axis]], dims).astype(np.float64) for axis in ("lat", "lon")
        )
        check_axis(lat, "lat", "era5: latitude") if len(lat) > 1 else None
        check_axis(lon, "lon", "era5: longitude") if len(lon) > 1 else None
        return cls(meta, lat, lon, lead)

    @property
    def shape(self) -> tuple[int, ...]:
        """Leading dimensions, latitudes, longitudes."""
        return (*self.lead, len(self.lat), len(self.lon))

    @property
    def parts(self) -> int:
        """Globes in the file."""
        return prod(self.lead)

    @property
    def wraps(self) -> bool:
        """The grid goes around the globe."""
        return len(self.lon) > 1 and sphere.wraps(self.lon)

    @property
    def grid(self) -> tuple[str, str]:
        """The dimensions of latitude and longitude."""
        variables = self.meta["variables"]
        return variables[self.meta["lat"]]["dims"][0], variables[self.meta["lon"]]["dims"][0]

    def entry(self, name: str) -> Mapping[str, Any]:
        """The description of a field.

        Raises:
            SignalError: the file has no field of this name.
        """
        entry = self.meta["variables"].get(name)
        if entry is None or "data" in entry:
            raise SignalError(
                f"era5: the header has no field {name!r}; the file is another model's"
            )
        return dict(entry)

    def called(self, variable: str) -> str:
        """The name in the file of a variable of the model."""
        for name, entry in self.meta["variables"].items():
            if entry.get("of") == variable and "data" not in entry:
                return str(name)
        return variable

    def unit(self, name: str) -> tuple[str, bool]:
        """The unit of a field in the file, and whether its values are differences."""
        attrs = self.entry(name)["attrs"]
        difference = units.is_difference(str(attrs.get("units_metadata", "")))
        return str(attrs.get("units", "")), difference

    def levels(self, name: str) -> int:
        """Number of levels of a field, 1 without."""
        level = self.entry(name)["level"]
        return 1 if level is None else int(self.meta["dims"][level])

    def heights(self, name: str) -> list[float]:
        """Values of the levels of a field, or their numbers; empty without levels.

        Raises:
            SignalError: they cannot be read.
        """
        level = self.entry(name)["level"]
        if level is None:
            return []
        entry = self.meta["variables"].get(level)
        if entry is None or entry["dims"] != [level] or entry["dtype"] == "str":
            return [float(i) for i in range(self.levels(name))]
        try:
            values = coordinate(entry, self.meta["dims"]).astype(np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise SignalError(f"era5: levels that cannot be read ({error!r:.80})") from None
        return [float(each) for each in values]

    def order(self, name: str) -> list[str]:
        """Dimensions of a field in the order of features: lead, level, latitude, longitude."""
        level = self.entry(name)["level"]
        return [*self.meta["lead"], *([] if level is None else [level]), *self.grid]

    def mask(self, name: str) -> tuple[list[bytes], NDArray[np.uint8]] | None:
        """Kinds of missing values and codes P L M of a field; None without missing values.

        Raises:
            SignalError: it cannot be read.
        """
        entry = self.entry(name)
        packed = entry["mask"]
        if isinstance(packed, str):
            packed = self.entry(packed)["mask"]
        if packed is None:
            return None
        size = (self.parts, self.levels(name), len(self.lat) * len(self.lon))
        try:
            kinds, codes = masks.unpack(packed, size, np.dtype(entry["dtype"]).itemsize)
        except (KeyError, TypeError, ValueError) as error:
            raise SignalError(f"era5: a mask that cannot be read ({error!r:.80})") from None
        return kinds, np.broadcast_to(codes, size)


def coordinate(entry: Mapping[str, Any], dims: Mapping[str, int]) -> NDArray[Any]:
    """The values that an entry carries.

    Raises:
        ValueError, KeyError: it carries none, or they do not fit.
    """
    if entry["dtype"] not in (*packing.DTYPES, "str"):
        raise ValueError("dtype")
    shape = tuple(dims[dim] for dim in entry["dims"])
    return packing.unpack(dict(entry["data"]), entry["dtype"], shape)
