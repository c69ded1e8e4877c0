"""Other grids to decode on: finer, coarser, a region, or that of another file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.era5 import masks, packing, sphere, storage
from inrc_modalities.era5.header import LIMIT, Header, coordinate
from inrc_modalities.era5.survey import survey


@dataclass(frozen=True)
class Axis:
    """Coordinates of the result, and for each the nearest point of the original."""

    values: NDArray[Any]
    nearest: NDArray[np.intp]
    subset: bool
    """They are points of the original, not new ones."""


def axes(header: Header, view: View) -> tuple[Axis, Axis]:
    """Latitudes and longitudes of a view.

    `scale` keeps the first point and, but around the globe, the last; `region` is in degrees,
    half-open, ends at a pole included, and may cross 0° or 180° of longitude.

    Raises:
        SignalError: an unknown axis, an empty region, no positive scale, both a scale and a file,
            a grid that reaches beyond the original's, or one that is too large.
    """
    lat, lon = _wanted(header, view)
    region = {name: (low, high) for name, low, high in view.region}
    if len(region) < len(view.region) or not set(region) <= {"lat", "lon"}:
        names = ", ".join(name for name, _, _ in view.region)
        raise SignalError(f"region: {names}: twice or unknown; a globe has lat and lon")
    if "lat" in region:
        lat = _band(lat, *region["lat"])
    if "lon" in region:
        lon = _sector(lon, *region["lon"])
    if len(lat) * len(lon) * header.parts > LIMIT:
        raise SignalError(f"a grid of {len(lat)} by {len(lon)} points is too large; ask for less")
    subset = view.scale is None and view.at is None
    near = (
        sphere.nearest(lat.astype(np.float64), header.lat),
        sphere.nearest(lon.astype(np.float64), header.lon, 360.0),
    )
    return Axis(lat, near[0], subset), Axis(lon, near[1], subset)


def regrid(header: Header, lat: Axis, lon: Axis) -> dict[str, Any]:
    """The meta of the file that a view results in.

    Masks and other variables on the grid are those of the nearest points; bounds of new cells are
    not known and left out.
    """
    meta = header.meta
    taken = dict(zip(header.grid, (lat.nearest, lon.nearest), strict=True))
    dims = {**meta["dims"], **{dim: len(index) for dim, index in taken.items()}}
    subset = lat.subset and lon.subset
    gone = set() if subset else _bounds(meta)
    variables = {}
    for name, entry in meta["variables"].items():
        if name in gone:
            continue
        entry = dict(entry)
        if not subset:
            attrs = entry["attrs"]
            entry["attrs"] = {k: v for k, v in attrs.items() if k != "bounds" or v not in gone}
        if name in (meta["lat"], meta["lon"]):
            values = (lat if name == meta["lat"] else lon).values
            entry |= {"data": packing.pack(values), "dtype": values.dtype.str[1:]}
            entry["attrs"] = _recast(entry["attrs"], values.dtype.str[1:])
        elif "data" not in entry:
            if isinstance(entry["mask"], dict):
                entry["mask"] = _mask(header, name, lat, lon)
        elif set(taken) & set(entry["dims"]):
            values = coordinate(entry, meta["dims"])
            for axis, dim in enumerate(entry["dims"]):
                values = values.take(taken[dim], axis) if dim in taken else values
            entry["data"] = packing.pack(values)
        if "chunks" in entry["store"]:
            sizes = [
                min(chunk, dims[dim]) if dim in taken else chunk
                for chunk, dim in zip(entry["store"]["chunks"], entry["dims"], strict=True)
            ]
            entry["store"] = {**entry["store"], "chunks": sizes}
        variables[name] = entry
    return {**meta, "dims": dims, "variables": variables}


def _wanted(header: Header, view: View) -> tuple[NDArray[Any], NDArray[Any]]:
    names = (header.meta["lat"], header.meta["lon"])
    entries = [header.meta["variables"][name] for name in names]
    lat, lon = (coordinate(entry, header.meta["dims"]) for entry in entries)
    if view.at is not None:
        if view.scale is not None:
            raise SignalError("ask for a scale or for the grid of another file, not for both")
        return _other(header, view.at)
    if view.scale is None:
        return lat, lon
    if not (math.isfinite(view.scale) and view.scale > 0):
        raise SignalError(f"scale {view.scale}: give a number above 0")
    sizes = [max(1, round(min(n * view.scale, float(LIMIT)))) for n in (len(lat), len(lon))]
    if math.prod(sizes) > LIMIT:
        raise SignalError(f"scale {view.scale:g}: {sizes[0]} by {sizes[1]} points are too many")
    if header.wraps:
        turn = math.copysign(360.0, header.lon[-1] - header.lon[0])
        around = header.lon[0] + turn * np.arange(sizes[1]) / sizes[1]
    else:
        around = _stretched(header.lon, sizes[1])
    return _cast(_stretched(header.lat, sizes[0]), lat.dtype), _cast(around, lon.dtype)


def _other(header: Header, path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """The grid of another file, which must lie within the original's but for half a cell."""
    with storage.opened(path) as dataset:
        found = survey(dataset, path)
        lat, lon = (storage.raw(dataset[name]) for name in (found.lat, found.lon))
    given = header.lat
    margin = abs(given[-1] - given[0]) / max(len(given) - 1, 1)
    if lat.min() < given.min() - margin or lat.max() > given.max() + margin:
        raise SignalError(
            f"{path}: latitudes {lat.min():g} to {lat.max():g} reach beyond the file's "
            f"{given.min():g} to {given.max():g}"
        )
    if not header.wraps:
        near = header.lon[sphere.nearest(lon.astype(np.float64), header.lon, 360.0)]
        apart = np.abs((lon - near + 180.0) % 360.0 - 180.0).max()
        if apart > np.ptp(header.lon) / max(len(header.lon) - 1, 1):
            raise SignalError(
                f"{path}: longitudes {lon.min():g} to {lon.max():g} reach beyond the file's "
                f"{header.lon.min():g} to {header.lon.max():g}"
            )
    return lat, lon


def _stretched(given: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Between the same ends, evenly in the numbers of rows: Gaussian latitudes stay Gaussian."""
    middle = (len(given) - 1) / 2
    place = np.linspace(0, len(given) - 1, size) if size > 1 else np.array([middle])
    return np.interp(place, np.arange(len(given)), given)


def _cast(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    return values.astype(dtype) if dtype.kind == "f" else values


def _band(lat: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    # beyond a pole there is nothing that a closed end could take from a neighbour
    inside = (lat >= low) & ((lat < high) | (high >= 90.0))
    if not inside.any():
        raise SignalError(
            f"region lat: no point between {low:g} and {high:g}; "
            f"the grid has {lat.min():g} to {lat.max():g}"
        )
    return lat[inside]


def _sector(lon: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    """Longitudes from `low` eastwards to `high`, in the turn of the globe that was asked for."""
    if not (math.isfinite(low) and math.isfinite(high)):
        raise SignalError(f"region lon: {low} to {high} are not finite numbers")
    width = high - low if high > low else (high - low) % 360.0
    east = (lon.astype(np.float64) - low) % 360.0
    inside = np.flatnonzero(east < min(width, 360.0))
    if not len(inside):
        raise SignalError(
            f"region lon: no point between {low:g} and {high:g}; "
            f"the grid has {lon.min():g} to {lon.max():g}"
        )
    inside = inside[np.argsort(east[inside], kind="stable")]
    # whole turns only, so that a longitude that can be kept is kept to the last bit
    turns = np.rint((low + east[inside] - lon[inside]) / 360.0)
    around = lon[inside] + 360.0 * turns
    if lon.dtype.kind == "f" or not turns.any():
        around = around.astype(lon.dtype)
    unique = np.concatenate([[True], np.diff(around) > 0])  # 0 and 360 of a closed circle are one
    kept: NDArray[Any] = around[unique]
    return kept[::-1] if lon[-1] < lon[0] else kept


def _bounds(meta: Mapping[str, Any]) -> set[Any]:
    names = [meta["variables"][meta[axis]]["attrs"].get("bounds") for axis in ("lat", "lon")]
    return {name for name in names if isinstance(name, str)}


def _recast(attrs: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    """A fill value must be of its variable's type."""
    fill = attrs.get("_FillValue")
    keep = not isinstance(fill, dict) or dtype in fill
    return {key: each for key, each in attrs.items() if keep or key != "_FillValue"}


def _mask(header: Header, name: str, lat: Axis, lon: Axis) -> dict[str, Any] | None:
    found = header.mask(name)
    if found is None:
        return None
    kinds, codes = found
    grid = codes.reshape(*codes.shape[:2], len(header.lat), len(header.lon))
    seen = grid[:, :, lat.nearest][..., lon.nearest]
    if not seen.any():
        return None
    return masks.pack(kinds, seen.reshape(*seen.shape[:2], -1))
