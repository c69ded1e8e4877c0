"""Archives of fields, opened lazily: NetCDF, GRIB, and Zarr stores here or elsewhere."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import xarray as xr

from inrc.errors import SignalError, one_line

GRIB = (".grib", ".grib1", ".grib2", ".grb", ".grb1", ".grb2")
_STORES = ("zarr.json", ".zmetadata", ".zgroup")
"""What the folder of a Zarr store holds: version 3, consolidated version 2, version 2."""


@dataclass(frozen=True)
class Kind:
    """How xarray opens a sort of archive, and what must be installed for it."""

    name: str
    engine: str
    packages: tuple[str, ...]
    extra: str | None
    options: Mapping[str, Any]


_NETCDF = Kind("NetCDF", "netcdf4", (), None, {})
_ZARR = Kind("Zarr", "zarr", ("zarr",), "zarr", {})
_REMOTE = Kind("Zarr", "zarr", ("zarr", "fsspec", "aiohttp"), "zarr", {})
_GRIB = Kind(
    "GRIB", "cfgrib", ("cfgrib", "eccodes"), "grib",
    # no index beside the user's file; an error for messages that do not fit
    {"indexpath": "", "errors": "raise"},
)  # fmt: skip


def remote(source: str) -> bool:
    """Whether a source is a URL."""
    return "://" in source


def kind(source: str) -> Kind:
    """The sort of an archive, by its name and, for a folder, by what is in it.

    Raises:
        SignalError: a missing path, or a folder that is not a Zarr store.
    """
    if remote(source):
        return _REMOTE
    path = Path(source)
    if not path.exists():
        raise SignalError(f"{path}: no such file or Zarr store")
    if path.is_dir():
        if not any((path / name).exists() for name in _STORES):
            raise SignalError(f"{path}: a folder, but not a Zarr store; name a file or a store")
        return _ZARR
    return _GRIB if path.suffix.lower() in GRIB else _NETCDF


@contextmanager
def opened(source: str, keys: Mapping[str, Any] | None = None) -> Iterator[xr.Dataset]:
    """Open an archive; values are read when they are used.

    Args:
        source: a file, a folder, or the URL of a Zarr store.
        keys: of a GRIB file, the messages to take: {"typeOfLevel": "surface"}.

    Raises:
        SignalError: missing, damaged, of several grids, or a package is not installed.
    """
    sort = kind(source)
    missing = [name for name in sort.packages if find_spec(name) is None]
    if missing:
        raise SignalError(
            f"{source}: {sort.name} needs {', '.join(missing)}: pip install 'inrc[{sort.extra}]'"
        )
    options = dict(sort.options)
    if keys:
        if sort is not _GRIB:
            raise SignalError(f"{source}: keys {dict(keys)} select messages of GRIB files only")
        options["filter_by_keys"] = dict(keys)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # advice to those who wrote the archive
            dataset = xr.open_dataset(source, engine=sort.engine, chunks=None, **options)
    except Exception as error:
        # libraries raise almost anything for a file of another format
        raise SignalError(f"{source}: {_reason(error, sort)}") from None
    with dataset:
        yield dataset


def _reason(error: Exception, sort: Kind) -> str:
    line = one_line(error)
    if type(error).__name__ == "DatasetBuildError":  # cfgrib's, which may not be installed
        return (
            "its messages do not make one data set; select some with keys, "
            f"{{typeOfLevel: surface}} or {{shortName: 2t}}, say ({line[:80]})"
        )
    return f"cannot be opened as {sort.name}, or is damaged ({line[:120]})"
