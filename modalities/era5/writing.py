"""Physical values and a meta to a NetCDF file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError, one_line
from inrc_modalities.era5 import masks, packing, storage
from inrc_modalities.era5.header import Header, coordinate
from inrc_modalities.era5.values import Packing

_IMPOSSIBLE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
"""What the library raises for a file that NetCDF cannot hold."""


def write(header: Header, fields: Mapping[str, NDArray[np.float64]] | None, path: Path) -> None:
    """Write a file as its header says.

    If writing fails, no incomplete file is left.

    Args:
        header: of the file.
        fields: for each field by its name in the file, values P L M in its unit; None leaves the
            values of all fields unwritten, which takes no space for them.
        path: of the file.

    Raises:
        SignalError: unknown suffix, a header that the format cannot hold, or a failing disk.
    """
    storage.check_suffix(path)
    if path.is_dir():
        raise SignalError(f"{path}: is a folder; name a file to write")
    before = path.stat().st_mtime_ns if path.exists() else None
    try:
        _encode(header, fields, path)
    except BaseException as error:
        if path.exists() and path.stat().st_mtime_ns != before:  # an open file may be refused
            path.unlink()
        problem = one_line(error)
        if isinstance(error, OSError | RuntimeError):  # the library raises either for a full disk
            raise SignalError(f"{path}: cannot be written ({problem})") from None
        if isinstance(error, _IMPOSSIBLE):
            raise SignalError(f"{path}: a header that NetCDF cannot hold ({problem})") from None
        raise


def _encode(header: Header, fields: Mapping[str, NDArray[np.float64]] | None, path: Path) -> None:
    meta = header.meta
    with netCDF4.Dataset(path, "w", format=meta["format"]) as dataset:
        if fields is None:
            dataset.set_fill_off()
        for name, size in meta["dims"].items():
            dataset.createDimension(name, None if name in meta["unlimited"] else size)
        dataset.setncatts(
            {name: packing.unpack_attribute(each) for name, each in meta["attrs"].items()}
        )
        created = {
            name: storage.create(dataset, name, entry) for name, entry in meta["variables"].items()
        }
        for name, entry in meta["variables"].items():
            if "data" in entry:
                _put(created[name], coordinate(entry, meta["dims"]))
            elif fields is not None:
                _put(created[name], _stored(header, fields, name))
        if fields is None:
            _extend(dataset, meta)


def _put(variable: storage.Variable, values: NDArray[Any]) -> None:
    # an unlimited dimension is empty until something is written
    place = tuple(slice(0, size) for size in values.shape)
    if values.size:
        variable[place if place else ...] = values if place else values[()]


def _extend(dataset: netCDF4.Dataset, meta: Mapping[str, Any]) -> None:
    """Give unlimited dimensions their length, with one value where no coordinate did."""
    for dim, size in meta["dims"].items():
        if len(dataset.dimensions[dim]) == size:
            continue
        for name, entry in meta["variables"].items():
            if dim in entry["dims"] and "data" not in entry:
                last = tuple(meta["dims"][each] - 1 for each in entry["dims"])
                dataset[name][last] = 0
                break


def _stored(header: Header, fields: Mapping[str, NDArray[np.float64]], name: str) -> NDArray[Any]:
    """Values of a field as the file stores them."""
    entry = header.entry(name)
    packed = Packing.of(entry).pack(fields[name])
    mask = header.mask(name)
    if mask is not None:
        packed = masks.restore(packed, *mask)
    order, dims = header.order(name), header.meta["dims"]
    packed = packed.reshape([dims[dim] for dim in order])
    return packed.transpose([order.index(dim) for dim in entry["dims"]])
