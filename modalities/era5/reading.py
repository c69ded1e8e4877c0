"""NetCDF files to physical values and to the meta that writes them again."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.era5 import masks, packing, storage
from inrc_modalities.era5.header import LIMIT
from inrc_modalities.era5.survey import Field, Survey, survey
from inrc_modalities.era5.values import Packing

CARRIED = 64 * 1024
"""Most bytes that a variable which is no field of the model may cost in a header."""


@dataclass(frozen=True)
class Layer:
    """One variable, as parts, levels and grid points."""

    field: Field
    values: NDArray[np.float64]
    """P L H W; anything where unknown."""
    unknown: NDArray[np.bool_]
    kinds: list[bytes]
    codes: NDArray[np.uint8]

    @property
    def known(self) -> NDArray[np.float64]:
        """Values with NaN where nothing is known."""
        return np.where(self.unknown, np.nan, self.values)


def chosen(found: Survey, wanted: list[str] | None, path: Path) -> list[Field]:
    """The fields of a model, in its order; without a wish, those with most parts.

    Raises:
        SignalError: one is missing, or they do not share their leading dimensions.
    """
    fields = found.fields
    if not fields:
        raise SignalError(f"{path}: no variable on the grid of {found.lat} and {found.lon}")
    if wanted is None:
        most = max(fields.values(), key=lambda field: len(field.lead)).lead
        return [field for field in fields.values() if set(field.lead) == set(most)]
    for name in wanted:
        if name not in fields:
            raise SignalError(
                f"{path}: has {', '.join(fields)}; asked for {name}: rename it, or use a model of "
                "these variables"
            )
    first = fields[wanted[0]]
    for name in wanted[1:]:
        if set(fields[name].lead) != set(first.lead):
            raise SignalError(
                f"{path}: {first.name} has dimensions {first.lead} beside the grid and {name} has "
                f"{fields[name].lead}; one model needs the same"
            )
    return [fields[name] for name in wanted]


def layer(
    dataset: netCDF4.Dataset, found: Survey, field: Field, lead: tuple[str, ...], path: Path
) -> Layer:
    """Read one variable.

    Raises:
        SignalError: no time steps, too large, infinite values, or attributes that make no sense.
    """
    variable = dataset[field.name]
    where = f"{path}: {field.name}"
    for dim, size in zip(variable.dimensions, variable.shape, strict=True):
        if size == 0:
            raise SignalError(f"{where}: dimension {dim} is empty; there is nothing to compress")
    if prod(variable.shape) > LIMIT:
        raise SignalError(f"{where}: {prod(variable.shape)} values; {LIMIT} at most, cut the file")
    grid = [dataset[name].dimensions[0] for name in (found.lat, found.lon)]
    order = [*lead, *([] if field.level is None else [field.level]), *grid]
    stored = storage.raw(variable).transpose([variable.dimensions.index(dim) for dim in order])
    height, width = stored.shape[-2:]
    levels = len(field.levels) if field.level is not None else 1
    stored = np.ascontiguousarray(stored).reshape(-1, levels, height, width)
    try:
        packed = Packing.of(storage.describe(variable, str(path)))
    except (TypeError, ValueError) as error:
        raise SignalError(f"{where}: attributes that make no sense ({error})") from None
    unknown = packed.unknown(stored)
    kinds, codes = masks.codes(stored, unknown, where)
    values = packed.unpack(stored)
    infinite = int((np.isinf(values) & ~unknown).sum())
    if infinite:
        raise SignalError(f"{where}: {infinite} infinite values; mark them as missing first")
    return Layer(field, values, unknown, kinds, codes)


def layers(path: Path, wanted: list[str] | None, vertical: bool) -> list[Layer]:
    """Read the wanted variables of a file.

    Raises:
        SignalError: what `survey`, `chosen` and `layer` refuse.
    """
    with storage.opened(path) as dataset:
        found = survey(dataset, path, vertical)
        fields = chosen(found, wanted, path)
        return [layer(dataset, found, field, fields[0].lead, path) for field in fields]


def describe(
    dataset: netCDF4.Dataset, found: Survey, read: list[Layer], path: Path, drop: bool
) -> dict[str, Any]:
    """The meta of a file; see `inrc_modalities.era5.header`.

    Raises:
        SignalError: a variable that is no field of the model and too large to carry along.
    """
    fields = {each.field.name: each for each in read}
    variables: dict[str, Any] = {}
    for name, variable in dataset.variables.items():
        entry = storage.describe(variable, str(path))
        if name in fields:
            variables[name] = entry | _masked(fields[name], variables)
            continue
        axis = name in dataset.dimensions or name in (found.lat, found.lon)
        data = _carried(variable, f"{path}: {name}", axis, drop)
        if data is not None:
            variables[name] = entry | {"data": data}
    return {
        "suffix": path.suffix.lower() if path.suffix.lower() in storage.SUFFIXES else ".nc",
        "format": dataset.data_model,
        "dims": {name: len(dim) for name, dim in dataset.dimensions.items()},
        "unlimited": [name for name, dim in dataset.dimensions.items() if dim.isunlimited()],
        "attrs": storage.attributes(dataset, str(path)),
        "lat": found.lat,
        "lon": found.lon,
        "lead": list(read[0].field.lead),
        "variables": variables,
    }


def _masked(layer: Layer, before: dict[str, Any]) -> dict[str, Any]:
    mask: Any = None
    if layer.kinds:
        parts, levels = layer.codes.shape[:2]
        mask = masks.pack(layer.kinds, layer.codes.reshape(parts, levels, -1))
        same = [name for name, entry in before.items() if entry.get("mask") == mask]
        mask = same[0] if same else mask
    return {"level": layer.field.level, "mask": mask}


def _carried(
    variable: storage.Variable, where: str, axis: bool, drop: bool
) -> dict[str, Any] | None:
    """Values of a variable that is no field, to keep as they are; None to leave it out."""
    too_large = (
        f"{where}: no field of the model, and too large to carry along; remove it "
        "(`ncks -x -v NAME`), train a model that has it, or set drop: true to leave it out"
    )
    if prod(variable.shape) > LIMIT:
        if drop:
            return None
        raise SignalError(too_large)
    data = packing.pack(storage.raw(variable))
    size = sum(
        len(each) if isinstance(each, bytes) else sum(len(text) for text in each)
        for each in data.values()
        if isinstance(each, bytes | list)
    )
    if size <= CARRIED or axis:
        return data
    if drop:
        return None
    raise SignalError(too_large)
