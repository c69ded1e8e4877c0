"""The meta of a file that is decoded on another grid."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc_modalities.era5 import masks, packing, references
from inrc_modalities.era5.header import Header, coordinate
from inrc_modalities.era5.packing import unpack_attribute
from inrc_modalities.era5.views import Axis

_EXTENT = ("geospatial_lat", "geospatial_lon", "geospatial_bounds")
"""Global attributes that begin so describe the original's grid (ACDD 1.3)."""
_LIMITS = ("valid_range", "valid_min", "valid_max")


def regrid(header: Header, lat: Axis, lon: Axis) -> dict[str, Any]:
    """The meta of the file that a view results in.

    Masks and other variables on the grid are those of the nearest points. Bounds of latitude and
    longitude follow a region; bounds and measures of new cells are not known and left out, with all
    attributes that name them.
    """
    meta = header.meta
    indices = dict(zip(header.grid, (lat.nearest, lon.nearest), strict=True))
    dims = {**meta["dims"], **{dim: len(index) for dim, index in indices.items()}}
    subset = lat.subset and lon.subset
    turns = _turns(header, lon)
    gone = set() if subset else _cells(header)
    variables = {}
    for name, entry in meta["variables"].items():
        if name in gone:
            continue
        entry = {**entry, "attrs": references.without(entry["attrs"], gone)}
        if name in (meta["lat"], meta["lon"]):
            values = (lat if name == meta["lat"] else lon).values
            entry |= {"data": packing.pack(values), "dtype": values.dtype.str[1:]}
            entry["attrs"] = _of_axis(entry["attrs"], values)
        elif "data" not in entry:
            if isinstance(entry["mask"], dict):
                entry["mask"] = _mask(header, name, lat, lon)
        elif set(indices) & set(entry["dims"]):
            values = coordinate(entry, meta["dims"])
            for axis, dim in enumerate(entry["dims"]):
                values = values.take(indices[dim], axis) if dim in indices else values
            if name == _bounds_of(meta, "lon") and subset:
                turned = _turned(values, entry["dims"].index(header.grid[1]), turns)
                if turned is None:  # integers that cannot hold the shifted bounds
                    gone.add(name)
                    continue
                values = turned
            entry["data"] = packing.pack(values)
        if "chunks" in entry["store"]:
            sizes = [
                min(chunk, dims[dim]) if dim in indices else chunk
                for chunk, dim in zip(entry["store"]["chunks"], entry["dims"], strict=True)
            ]
            entry["store"] = {**entry["store"], "chunks": sizes}
        variables[name] = entry
    for entry in variables.values():
        entry["attrs"] = references.without(entry["attrs"], gone)
    attrs = {key: each for key, each in meta["attrs"].items() if not key.startswith(_EXTENT)}
    return {**meta, "dims": dims, "attrs": attrs, "variables": variables}


def _bounds_of(meta: Mapping[str, Any], axis: str) -> str | None:
    name = meta["variables"][meta[axis]]["attrs"].get("bounds")
    return name if isinstance(name, str) else None


def _cells(header: Header) -> set[str]:
    """Variables that describe the cells of the grid: their bounds, areas and volumes."""
    meta = header.meta
    attributes = {name: entry["attrs"] for name, entry in meta["variables"].items()}
    names = {_bounds_of(meta, "lat"), _bounds_of(meta, "lon")}
    names |= references.cell_measures(attributes)
    return {
        name
        for name, entry in meta["variables"].items()
        if name in names and "data" in entry and set(entry["dims"]) & set(header.grid)
    }


def _turns(header: Header, lon: Axis) -> NDArray[np.float64]:
    """Degrees, whole turns, between the longitudes of a region and the same points before."""
    apart: NDArray[np.float64] = lon.values.astype(np.float64) - header.lon[lon.nearest]
    return 360.0 * np.rint(apart / 360.0)


def _turned(values: NDArray[Any], axis: int, turns: NDArray[np.float64]) -> NDArray[Any] | None:
    """Bounds after whole turns around the globe; None if their type cannot hold them."""
    if not turns.any():
        return values
    shape = [-1 if number == axis else 1 for number in range(values.ndim)]
    wide = values.astype(np.float64) + turns.reshape(shape)
    turned: NDArray[Any] = wide.astype(values.dtype)
    return turned if values.dtype.kind == "f" or np.array_equal(turned, wide) else None


def _of_axis(attrs: Mapping[str, Any], values: NDArray[Any]) -> dict[str, Any]:
    """Attributes of a coordinate that are true of its new values and of their type."""
    kept = {key: each for key, each in attrs.items() if key != "actual_range"}
    dtype = values.dtype.str[1:]
    fill = kept.get("_FillValue")
    if isinstance(fill, dict) and dtype not in fill:
        del kept["_FillValue"]
    limits = {key: np.ravel(unpack_attribute(kept[key])) for key in _LIMITS if key in kept}
    for key, limit in limits.items():
        low = limit[0] if key != "valid_max" else -np.inf
        high = limit[-1] if key != "valid_min" else np.inf
        if values.min() < low or values.max() > high:
            del kept[key]
    return kept


def _mask(header: Header, name: str, lat: Axis, lon: Axis) -> dict[str, Any] | None:
    mask = header.mask(name)
    if mask is None:
        return None
    kinds, codes = mask
    grid = codes.reshape(*codes.shape[:2], len(header.lat), len(header.lon))
    seen = grid[:, :, lat.nearest][..., lon.nearest]
    if not seen.any():
        return None
    return masks.pack(kinds, seen.reshape(*seen.shape[:2], -1))
