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


def write(header: Header, fields: Mapping[str, NDArray[np.float64]], path: Path) -> None:
    """Write a file as its header says; `fields` are P L M in physical units.

    Whatever goes wrong, no half of a file is left.

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
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError | IndexError):
            raise SignalError(f"{path}: a header that NetCDF cannot hold ({problem})") from None
        raise


def _encode(header: Header, fields: Mapping[str, NDArray[np.float64]], path: Path) -> None:
    meta = header.meta
    with netCDF4.Dataset(path, "w", format=meta["format"]) as dataset:
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
            values = (
                coordinate(entry, meta["dims"])
                if "data" in entry
                else _stored(header, fields, name)
            )
            # an unlimited dimension is empty until something is written
            place = tuple(slice(0, size) for size in values.shape)
            if values.size:
                created[name][place if place else ...] = values if place else values[()]


def _stored(header: Header, fields: Mapping[str, NDArray[np.float64]], name: str) -> NDArray[Any]:
    """Values of a field as they lie in the file."""
    entry = header.entry(name)
    packed = Packing.of(entry).pack(fields[name])
    mask = header.mask(name)
    if mask is not None:
        packed = masks.restore(packed, *mask)
    order, dims = header.order(name), header.meta["dims"]
    packed = packed.reshape([dims[dim] for dim in order])
    return packed.transpose([order.index(dim) for dim in entry["dims"]])
