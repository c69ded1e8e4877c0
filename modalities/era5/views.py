"""Other grids to decode on: finer, coarser, a region, or that of another file."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.era5 import sphere, storage
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
    region = view.intervals(("lat", "lon"))
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


def _wanted(header: Header, view: View) -> tuple[NDArray[Any], NDArray[Any]]:
    names = (header.meta["lat"], header.meta["lon"])
    entries = [header.meta["variables"][name] for name in names]
    lat, lon = (coordinate(entry, header.meta["dims"]) for entry in entries)
    scale = view.factor()
    if view.at is not None:
        return _other(header, view.at)
    if view.scale is None:
        return lat, lon
    sizes = [max(1, round(min(n * scale, float(LIMIT)))) for n in (len(lat), len(lon))]
    if math.prod(sizes) > LIMIT:
        raise SignalError(f"scale {scale:g}: {sizes[0]} by {sizes[1]} points are too many")
    if header.wraps:
        turn = math.copysign(360.0, header.lon[-1] - header.lon[0])
        around = header.lon[0] + turn * np.arange(sizes[1]) / sizes[1]
    else:
        around = _stretched(header.lon, sizes[1])
    return _cast(_stretched(header.lat, sizes[0]), lat.dtype), _cast(around, lon.dtype)


def _other(header: Header, path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """The grid of another file, which must lie within the original's but for half a cell."""
    with storage.opened(path, groups=True) as dataset:
        grid = survey(dataset, path)
        lat, lon = (storage.raw(dataset[name]) for name in (grid.lat, grid.lon))
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
