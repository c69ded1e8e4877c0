"""Which variables of a NetCDF file are fields on a latitude/longitude grid, and how they lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.era5 import axes, categories, references, storage, units

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
    difference: bool
    """Values are differences of temperature (CF 1.11), which convert without an offset."""
    lead: tuple[str, ...]
    level: str | None
    levels: tuple[float, ...]
    """Values along `level`; empty without one."""
    category: str | None
    """The attribute that declares the values categorical; None for quantities."""
    learnable: bool
    """Learned by default: neither categorical, nor a measure of the grid's cells."""


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
        SignalError: no grid; a grid that is curvilinear, rotated, projected, a list of points, or
            of a single row or column; or coordinates that make no sense.
    """
    lat, lon = axes.find(dataset, path)
    grid = {dataset[name].dimensions[0] for name in (lat, lon)}
    for axis, name in (("lat", lat), ("lon", lon)):
        check_axis(np.asarray(storage.raw(dataset[name]), np.float64), axis, f"{path}: {name}")
    attributes = {
        name: {key: variable.getncattr(key) for key in variable.ncattrs()}
        for name, variable in dataset.variables.items()
    }
    bounds, measures = references.bounds(attributes), references.cell_measures(attributes)
    fields = {}
    for name, variable in dataset.variables.items():
        if (
            grid <= set(variable.dimensions)
            and name not in bounds
            and isinstance(variable.datatype, np.dtype)
            and variable.dtype.kind in "fiu"
        ):
            axes.check_mapping(dataset, variable, path)
            learnable = name not in measures and not categories.likely(variable)
            fields[name] = _field(dataset, variable, grid, vertical, learnable)
    return Survey(lat, lon, fields)


def check_axis(values: NDArray[np.float64], axis: str, where: str) -> None:
    """Refuse coordinates that cannot be an axis of a globe.

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
        raise SignalError(f"{where}: {values[0]:g} to {values[-1]:g} are not degrees on a globe")


def _field(
    dataset: netCDF4.Dataset,
    variable: storage.Variable,
    grid: set[str],
    vertical: bool,
    learnable: bool,
) -> Field:
    others = [dim for dim in variable.dimensions if dim not in grid]
    level = next((dim for dim in others if vertical and _is_vertical(dataset, dim)), None)
    return Field(
        variable.name,
        str(getattr(variable, "units", "")),
        units.is_difference(str(getattr(variable, "units_metadata", ""))),
        tuple(dim for dim in others if dim != level),
        level,
        () if level is None else _levels(dataset, level),
        categories.declared(variable),
        learnable,
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
