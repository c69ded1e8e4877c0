"""Training and held-out fields of a NetCDF file, for benchmarks.climate."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Split:
    """Training and held-out fields of every variable, N L H W: rows, levels, grid."""

    train: dict[str, Array]
    test: dict[str, Array]


def read(path: Path, hold: str, held: Sequence[int], level: str | None) -> Split:
    """Read all variables of a file that have the held-out dimension, on one grid.

    Args:
        path: a NetCDF file.
        hold: name of the dimension along which slices are held out.
        held: positions along it that are held out, from 0, or from -1 backwards.
        level: name of the vertical dimension; None without one.

    Raises:
        SignalError: no such file, dimension or position, other grids, or missing values.
    """
    try:
        dataset = netCDF4.Dataset(path)
    except OSError as error:
        raise SignalError(f"{path}: cannot be read as NetCDF ({error})") from error
    with dataset:
        if hold not in dataset.dimensions:
            known = ", ".join(dataset.dimensions)
            raise SignalError(f"{path}: no dimension {hold}; use one of {known}")
        length = len(dataset.dimensions[hold])
        out = np.isin(np.arange(length), [n if n >= 0 else length + n for n in held])
        if out.sum() != len(held) or out.all():
            raise SignalError(f"{path}: cannot hold {list(held)!s:.40} of {length} {hold} out")
        train, test = {}, {}
        for name, variable in dataset.variables.items():
            if hold in variable.dimensions[:-2]:
                fields = _fields(variable, name, path, hold, level)
                train[name] = fields[~out].reshape(-1, *fields.shape[-3:])
                test[name] = fields[out].reshape(-1, *fields.shape[-3:])
    if len({fields.shape for fields in test.values()}) != 1:
        raise SignalError(f"{path}: no variables along {hold}, or variables of different shapes")
    return Split(train, test)


def _fields(variable: Any, name: str, path: Path, hold: str, level: str | None) -> Array:
    """Values with the held-out dimension first and the vertical one before the grid."""
    values = np.ma.MaskedArray(variable[:], dtype=np.float32).filled(np.nan)
    if not np.isfinite(values).all():
        raise SignalError(f"{path}: {name} has missing values, which these codecs cannot store")
    lead = list(variable.dimensions[:-2])
    if level is None:
        values, lead = np.expand_dims(values, -3), [*lead, None]
    elif level not in lead:
        raise SignalError(f"{path}: {name} has no dimension {level}; it has {', '.join(lead)}")
    first = lead.index(hold)
    last = lead.index(level)
    others = [i for i in range(len(lead)) if i not in (first, last)]
    moved = values.transpose(first, *others, last, values.ndim - 2, values.ndim - 1)
    return np.ascontiguousarray(moved)
