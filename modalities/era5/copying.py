"""A NetCDF file once more, with other values of some variables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import netCDF4
from numpy.typing import NDArray

from inrc.errors import SignalError, one_line
from inrc_modalities.era5 import storage


def copy(original: Path, target: Path, replaced: Mapping[str, NDArray[Any]]) -> None:
    """Write `target`: all of `original`, but the stored values of the variables `replaced`.

    Those are not read from the original. If copying fails, no incomplete file is left.

    Raises:
        SignalError: unknown suffix, an original that is not NetCDF, or a failing disk.
    """
    storage.check_suffix(target)
    try:
        with storage.opened(original) as dataset:
            _copy(dataset, target, replaced)
    except SignalError:
        target.unlink(missing_ok=True)
        raise
    except (OSError, RuntimeError) as error:
        target.unlink(missing_ok=True)
        reason = one_line(error)
        raise SignalError(f"{target}: cannot be written ({reason})") from None


def _copy(dataset: netCDF4.Dataset, target: Path, replaced: Mapping[str, NDArray[Any]]) -> None:
    with netCDF4.Dataset(target, "w", format=dataset.data_model) as made:
        made.setncatts({name: dataset.getncattr(name) for name in dataset.ncattrs()})
        for name, one in dataset.dimensions.items():
            made.createDimension(name, None if one.isunlimited() else len(one))
        for name, variable in dataset.variables.items():
            created = storage.create(made, name, storage.describe(variable, str(target)))
            values = replaced[name] if name in replaced else storage.raw(variable)
            # an unlimited dimension is empty until something is written
            place = tuple(slice(0, size) for size in values.shape)
            if values.size:
                created[place if place else ...] = values if place else values[()]
