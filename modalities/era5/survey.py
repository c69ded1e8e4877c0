"""Which variables of a NetCDF file are fields on a latitude/longitude grid, and how they lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.era5 import storage

# CF conventions 4.1 and 4.2; names are what files without units call them
_UNITS = {
    "lat": {"degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"},
    "lon": {"degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"},
}
NAMES = {"lat": {"lat", "latitude"}, "lon": {"lon", "longitude"}}
_STANDARD = {"lat": "latitude", "lon": "longitude"}
_VERTICAL = {
    "level", "levelist", "lev", "plev", "ilev", "pressure_level", "model_level", "pressure",
    "isobaricinhpa", "isobaricinpa", "hybrid", "height", "heightaboveground", "altitude", "depth",
    "depthbelowland", "depthbelowlandlayer", "sigma", "z", "theta", "potential_temperature",
}  # fmt: skip
_PRESSURE = {"pa", "hpa", "mbar", "mb", "millibar", "millibars", "bar", "dbar"}  # CF 4.3.1


@dataclass(frozen=True)
class Field:
    """One variable on the grid: its dimensions by what they are."""

    name: str
    unit: str
    lead: tuple[str, ...]
    level: str | None
    levels: tuple[float, ...]
    """Values along `level`; empty without one."""


@dataclass(frozen=True)
class Survey:
    """The grid of a file and all fields on it."""

    lat: str
    lon: str
    """Names of the coordinate variables."""
    fields: dict[str, Field]


def survey(dataset: netCDF4.Dataset, path: Path, vertical: bool = True) -> Survey:
    """Find the grid and the fields of a file; `vertical` sets levels apart from other dimensions.

    Raises:
        SignalError: no grid, a curvilinear one, one of a single row or column, or coordinates
            that make no sense.
    """
    axes = {axis: _axis(dataset, path, axis) for axis in ("lat", "lon")}
    dims = {axis: dataset[name].dimensions[0] for axis, name in axes.items()}
    for axis, name in axes.items():
        check_axis(np.asarray(storage.raw(dataset[name]), np.float64), axis, f"{path}: {name}")
    bounds = {
        str(each.getncattr("bounds"))
        for each in dataset.variables.values()
        if "bounds" in each.ncattrs()
    }
    fields = {}
    for name, variable in dataset.variables.items():
        if (
            set(dims.values()) <= set(variable.dimensions)
            and name not in bounds
            and isinstance(variable.datatype, np.dtype)
            and variable.dtype.kind in "fiu"
        ):
            fields[name] = _field(dataset, variable, set(dims.values()), vertical)
    return Survey(axes["lat"], axes["lon"], fields)


def check_axis(values: NDArray[np.float64], axis: str, where: str) -> None:
    """Refuse what is no axis of a globe.

    Raises:
        SignalError: fewer than two values, not finite, not monotonic, or beyond the globe.
    """
    if values.ndim != 1 or len(values) < 2:
        raise SignalError(f"{where}: a grid needs two or more points along it")
    step = np.diff(values)
    if not (np.isfinite(values).all() and ((step > 0).all() or (step < 0).all())):
        raise SignalError(f"{where}: must rise or fall all the way; sort or repair the file")
    # a little beyond, for cells whose rounded centres or edges are named
    beyond = abs(values).max() > 90.001 if axis == "lat" else np.ptp(values) > 360.001
    if beyond:
        raise SignalError(f"{where}: {values[0]:g} to {values[-1]:g} are no degrees on a globe")


def _axis(dataset: netCDF4.Dataset, path: Path, axis: str) -> str:
    """Name of the one-dimensional latitude or longitude."""
    found = [v for v in dataset.variables.values() if _is(v, axis)]
    flat = [v for v in found if len(v.dimensions) == 1]
    used = [v for v in flat if _users(dataset, v.dimensions[0]) or len(flat) == 1]
    if used:
        # with several grids in one file, that of most variables
        best = max(used, key=lambda v: _users(dataset, v.dimensions[0]))
        return str(best.name)
    word = _STANDARD[axis]
    if any(len(v.dimensions) == 2 for v in found):
        raise SignalError(
            f"{path}: {word} has two dimensions, a curvilinear grid; regrid it to a regular one "
            "first, with `cdo remapbil`, say"
        )
    if any(v.dimensions == () for v in found):
        raise SignalError(f"{path}: only one {word}; a grid needs two or more points along it")
    raise SignalError(
        f"{path}: no {word} found; it must be a coordinate called {axis} or {word}, or have units "
        f"{'degrees_north' if axis == 'lat' else 'degrees_east'}"
    )


def _is(variable: storage.Variable, axis: str) -> bool:
    if storage.is_text(variable) or variable.dtype.kind not in "fiu":
        return False
    standard = str(getattr(variable, "standard_name", "")).lower()
    if standard:
        return standard == _STANDARD[axis]
    unit = str(getattr(variable, "units", "")).lower()
    return unit in _UNITS[axis] or variable.name.lower() in NAMES[axis]


def _users(dataset: netCDF4.Dataset, dim: str) -> int:
    return sum(dim in v.dimensions and len(v.dimensions) > 1 for v in dataset.variables.values())


def _field(
    dataset: netCDF4.Dataset, variable: storage.Variable, grid: set[str], vertical: bool
) -> Field:
    others = [dim for dim in variable.dimensions if dim not in grid]
    level = next((dim for dim in others if vertical and _is_vertical(dataset, dim)), None)
    return Field(
        variable.name,
        str(getattr(variable, "units", "")),
        tuple(dim for dim in others if dim != level),
        level,
        () if level is None else _levels(dataset, level),
    )


def _is_vertical(dataset: netCDF4.Dataset, dim: str) -> bool:
    if dim.lower() in _VERTICAL:
        return True
    coordinate: Any = dataset.variables.get(dim)
    if coordinate is None:
        return False
    return (
        getattr(coordinate, "axis", "") == "Z"
        or str(getattr(coordinate, "positive", "")).lower() in ("up", "down")
        or str(getattr(coordinate, "units", "")).lower() in _PRESSURE
    )


def _levels(dataset: netCDF4.Dataset, dim: str) -> tuple[float, ...]:
    """Values of the levels, or their numbers where the file names none."""
    coordinate = dataset.variables.get(dim)
    size = len(dataset.dimensions[dim])
    if coordinate is None or coordinate.dimensions != (dim,) or storage.is_text(coordinate):
        return tuple(float(i) for i in range(size))
    return tuple(np.asarray(storage.raw(coordinate), np.float64).tolist())
