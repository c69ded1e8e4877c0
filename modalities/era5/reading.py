"""NetCDF files to physical values."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import netCDF4
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.era5 import masks, outliers, storage
from inrc_modalities.era5.header import LIMIT
from inrc_modalities.era5.survey import Field, Survey, survey
from inrc_modalities.era5.values import Packing


@dataclass(frozen=True)
class Options:
    """How files are read, whatever the model.

    Args:
        vertical: levels are told apart from other dimensions.
        exclude_outliers: values far outside all others are missing, instead of an error.
        rename: names in the file and the names that the model has for them.
    """

    vertical: bool = True
    exclude_outliers: bool = False
    rename: Mapping[str, str] | None = None

    def model_name(self, name: str) -> str:
        """What the model calls a variable of a file."""
        return (self.rename or {}).get(name, name)


@dataclass(frozen=True)
class Layer:
    """One variable, as parts, levels and grid points."""

    field: Field
    values: NDArray[np.float64]
    """P L H W; arbitrary where missing."""
    unknown: NDArray[np.bool_]
    kinds: list[bytes]
    codes: NDArray[np.uint8]
    merged: int
    """Values outside the valid range that do not come back as they were."""

    @property
    def known(self) -> NDArray[np.float64]:
        """Values with NaN where they are missing."""
        return np.where(self.unknown, np.nan, self.values)


def chosen(grid: Survey, wanted: list[str] | None, path: Path, options: Options) -> list[Field]:
    """The fields of a model, in its order; without names, the quantities of most dimensions.

    Raises:
        SignalError: one is absent or categorical, or they differ in their leading dimensions.
    """
    fields = grid.fields
    if not fields:
        raise SignalError(f"{path}: no variable on the grid of {grid.lat} and {grid.lon}")
    if wanted is None:
        quantities = [field for field in fields.values() if field.learnable]
        if not quantities:
            raise SignalError(
                f"{path}: {', '.join(fields)}: categories or measures of cells only, which are "
                "kept as they are; name the variables to learn"
            )
        most = max(quantities, key=lambda field: len(field.lead)).lead
        return [field for field in quantities if set(field.lead) == set(most)]
    names = {options.model_name(name): name for name in fields}
    # a file may have the model's name beside a renamed one, which goes first
    names |= {options.model_name(name): name for name in options.rename or () if name in fields}
    selected = []
    for name in wanted:
        if name not in names:
            raise SignalError(
                f"{path}: has {', '.join(fields)}; the model needs {name}: if one of them is the "
                f"same quantity, rename it (--rename NAME={name}), or use another model"
            )
        field = fields[names[name]]
        if field.category is not None:
            raise SignalError(
                f"{path}: {field.name} is categorical ({field.category}), and a model would blur "
                "it; leave it out of the variables: it is then kept exactly (max_carried bytes)"
            )
        selected.append(field)
    first = selected[0]
    for field in selected[1:]:
        if set(field.lead) != set(first.lead):
            raise SignalError(
                f"{path}: {first.name} has dimensions {first.lead} beside the grid and "
                f"{field.name} has {field.lead}; the variables of one model need the same"
            )
    return selected


def layer(
    dataset: netCDF4.Dataset,
    grid: Survey,
    field: Field,
    lead: tuple[str, ...],
    path: Path,
    options: Options,
) -> Layer:
    """Read one variable.

    Raises:
        SignalError: no time steps, too large, infinite values or outliers, or attributes that make
            no sense.
    """
    variable = dataset[field.name]
    where = f"{path}: {field.name}"
    for dim, size in zip(variable.dimensions, variable.shape, strict=True):
        if size == 0:
            raise SignalError(f"{where}: dimension {dim} is empty; there is nothing to compress")
    if prod(variable.shape) > LIMIT:
        raise SignalError(f"{where}: {prod(variable.shape)} values; {LIMIT} at most, cut the file")
    axes = [dataset[name].dimensions[0] for name in (grid.lat, grid.lon)]
    order = [*lead, *([] if field.level is None else [field.level]), *axes]
    stored = storage.raw(variable).transpose([variable.dimensions.index(dim) for dim in order])
    sizes = stored.shape
    levels = len(field.levels) if field.level is not None else 1
    stored = np.ascontiguousarray(stored).reshape(-1, levels, *sizes[-2:])
    try:
        packing = Packing.of(storage.describe(variable, str(path)))
    except (TypeError, ValueError) as error:
        raise SignalError(f"{where}: attributes that make no sense ({error})") from None
    disputed = packing.disputed(stored)
    if disputed:
        raise SignalError(
            f"{where}: its valid range is in the units of unpacked values, and netCDF4 masks "
            f"{disputed} valid values; give it in packed numbers of the variable's type, or remove "
            f"it with `ncatted -a valid_range,{field.name},d,,`"
        )
    unknown = packing.unknown(stored)
    values = packing.unpack(stored)
    strange, ends = outliers.find(values, unknown)
    if strange is not None:
        if not options.exclude_outliers:
            raise SignalError(
                f"{where}: {_outliers(dataset, order, sizes, values, strange, ends)}; declare them "
                "missing (`ncatted -a missing_value`), or set exclude_outliers: true"
            )
        unknown |= strange
    stored, merged = masks.merge(stored, packing.outside(stored) & ~packing.marked(stored), unknown)
    kinds, codes = masks.encode(stored, unknown, where)
    return Layer(field, values, unknown, kinds, codes, merged)


def layers(path: Path, wanted: list[str] | None, options: Options) -> list[Layer]:
    """Read the wanted variables of a file.

    Raises:
        SignalError: what `survey`, `chosen` and `layer` refuse.
    """
    with storage.opened(path, groups=True) as dataset:
        grid = survey(dataset, path, options.vertical)
        fields = chosen(grid, wanted, path, options)
        return [layer(dataset, grid, field, fields[0].lead, path, options) for field in fields]


def _outliers(
    dataset: netCDF4.Dataset,
    order: list[str],
    sizes: tuple[int, ...],
    values: NDArray[np.float64],
    strange: NDArray[np.bool_],
    ends: tuple[float, float],
) -> str:
    """What and where outliers are, for a message."""
    first = int(strange.reshape(-1).argmax())
    value = values.reshape(-1)[first]
    places = []
    for dim, index in zip(order, np.unravel_index(first, sizes), strict=True):
        axis = dataset.variables.get(dim)
        at = float(index)
        if axis is not None and axis.dimensions == (dim,) and not storage.is_text(axis):
            at = float(storage.raw(axis)[index])
        places.append(f"{dim} {at:.7g}")
    count = int(strange.sum())
    if np.isinf(value):
        return f"{count} infinite values or outliers, the first at {', '.join(places)}"
    return (
        f"{value:g} at {', '.join(places)} is an outlier ({count} in all) beside values of "
        f"{ends[0]:g} to {ends[1]:g}"
    )
