"""Which variables of a file are the latitude and the longitude of a grid."""

from pathlib import Path

import netCDF4

from inrc.errors import SignalError
from inrc_modalities.era5 import storage

# CF conventions 4.1 and 4.2; the names are those of files without units
_UNITS = {
    "lat": {"degrees_north", "degree_north", "degree_n", "degrees_n", "degreen", "degreesn"},
    "lon": {"degrees_east", "degree_east", "degree_e", "degrees_e", "degreee", "degreese"},
}
NAMES = {"lat": {"lat", "latitude"}, "lon": {"lon", "longitude"}}
_STANDARD = {"lat": "latitude", "lon": "longitude"}
_SUPPORTED = (
    "only grids whose rows are latitudes and whose columns are longitudes are supported; regrid it "
    "first, for example with `cdo remapbil,r360x180`"
)


def find(dataset: netCDF4.Dataset, path: Path) -> tuple[str, str]:
    """Names of the one-dimensional latitude and longitude.

    Of several grids in one file, the one of most variables.

    Raises:
        SignalError: they are missing, or do not make a grid.
    """
    named = {
        axis: [v for v in dataset.variables.values() if _is(v, axis)] for axis in ("lat", "lon")
    }
    flat = {axis: [v for v in some if len(v.dimensions) == 1] for axis, some in named.items()}
    grids = [
        (lat, lon) for lat in flat["lat"] for lon in flat["lon"] if lat.dimensions != lon.dimensions
    ]
    if grids:
        dims = [set(variable.dimensions) for variable in dataset.variables.values()]
        lat, lon = max(  # the one of most variables
            grids,
            key=lambda grid: sum({each.dimensions[0] for each in grid} <= own for own in dims),
        )
        return str(lat.name), str(lon.name)
    if flat["lat"] and flat["lon"]:
        dim = flat["lat"][0].dimensions[0]
        raise SignalError(
            f"{path}: latitude and longitude share the dimension {dim}: stations, a track, or the "
            f"cells of an unstructured mesh; {_SUPPORTED}"
        )
    mapping = next((name for v in dataset.variables.values() if (name := _mapping(v))), None)
    if mapping is not None or any(
        getattr(v, "standard_name", "") == "grid_latitude" for v in dataset.variables.values()
    ):
        what = "a rotated pole" if mapping in (None, _ROTATED) else f"the projection {mapping}"
        raise SignalError(f"{path}: its grid has {what}; {_SUPPORTED}")
    axis = "lat" if not flat["lat"] else "lon"
    word = _STANDARD[axis]
    if any(len(v.dimensions) > 1 for v in named[axis]):
        raise SignalError(
            f"{path}: {word} has two or more dimensions, a curvilinear grid; {_SUPPORTED}"
        )
    if named[axis]:
        raise SignalError(f"{path}: only one {word}; a grid needs two or more points along it")
    raise SignalError(
        f"{path}: no {word}; it must be a coordinate called {axis} or {word}, or have units "
        f"{'degrees_north' if axis == 'lat' else 'degrees_east'}"
    )


_ROTATED = "rotated_latitude_longitude"


def check_mapping(dataset: netCDF4.Dataset, variable: storage.Variable, path: Path) -> None:
    """Refuse a variable whose grid mapping says that its rows are not latitudes.

    Raises:
        SignalError: a rotated pole or a projection.
    """
    for name in str(getattr(variable, "grid_mapping", "")).replace(":", " ").split():
        mapping = _mapping(dataset.variables[name]) if name in dataset.variables else None
        if mapping is not None:
            raise SignalError(
                f"{path}: {variable.name} has the grid mapping {mapping}; {_SUPPORTED}"
            )


def _mapping(variable: storage.Variable) -> str | None:
    """The projection that a variable declares; None for plain latitudes and longitudes."""
    name = str(getattr(variable, "grid_mapping_name", ""))
    return name if name not in ("", "latitude_longitude") else None


def _is(variable: storage.Variable, axis: str) -> bool:
    if storage.is_text(variable) or not storage.is_plain(variable):
        return False
    if variable.dtype.kind not in "fiu":
        return False
    standard = str(getattr(variable, "standard_name", "")).lower()
    if standard:
        return standard == _STANDARD[axis]
    unit = str(getattr(variable, "units", "")).lower()
    return unit in _UNITS[axis] or variable.name.lower() in NAMES[axis]
