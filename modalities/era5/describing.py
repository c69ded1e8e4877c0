"""The meta of a NetCDF file: everything but the values of the model's fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import netCDF4

from inrc.errors import SignalError
from inrc_modalities.era5 import layout, masks, packing, references, storage
from inrc_modalities.era5.header import LIMIT
from inrc_modalities.era5.reading import Layer, Options, chosen, layer
from inrc_modalities.era5.survey import Survey, survey


@dataclass(frozen=True)
class Carrying:
    """What happens to variables that are not fields of the model.

    Args:
        max_bytes: packed size up to which a variable is carried along in the header.
        drop: leave larger ones out, and what NetCDF has beyond variables, instead of an error.
    """

    max_bytes: int
    drop: bool


@dataclass(frozen=True)
class File:
    """What a file holds for a model."""

    layers: list[Layer]
    """The fields of the model, in its order."""
    meta: dict[str, Any]
    """Everything else; see `inrc_modalities.era5.header`."""
    losses: list[str]
    """What the meta does not keep, as short phrases."""


def read_file(
    path: Path, variables: list[str] | None, options: Options, carrying: Carrying
) -> File:
    """Read the fields of a model, and describe everything else.

    Raises:
        SignalError: what `survey`, `chosen` and `layer` refuse, or something that cannot be kept,
            unless `carrying.drop`.
    """
    with storage.opened(path, groups=carrying.drop) as dataset:
        grid = survey(dataset, path, options.vertical)
        fields = chosen(grid, variables, path, options)
        read = [layer(dataset, grid, field, fields[0].lead, path, options) for field in fields]
        names = {field.name: options.model_name(field.name) for field in fields}
        return File(read, *_describe(dataset, grid, read, path, names, carrying))


def _describe(
    dataset: netCDF4.Dataset,
    grid: Survey,
    read: list[Layer],
    path: Path,
    names: Mapping[str, str],
    carrying: Carrying,
) -> tuple[dict[str, Any], list[str]]:
    fields = {each.field.name: each for each in read}
    variables: dict[str, Any] = {}
    losses = [f"group {name}" for name in dataset.groups]
    for name, variable in dataset.variables.items():
        if not storage.is_plain(variable) and carrying.drop:
            losses.append(f"variable {name} (user-defined type)")
            continue
        entry = storage.describe(variable, str(path))
        other = layout.other_filter(variable)
        if other is not None:
            losses.append(f"{other} compression of {name} (becomes zlib)")
        if name in fields:
            if fields[name].merged:
                losses.append(f"{fields[name].merged} numbers of {name} outside its valid range")
            named = {} if names[name] == name else {"of": names[name]}
            variables[name] = entry | _masked(fields[name], variables) | named
            continue
        axis = name in dataset.dimensions or name in (grid.lat, grid.lon)
        data = _carried(variable, f"{path}: {name}", axis, carrying)
        if data is None:
            losses.append(f"variable {name} (larger than {carrying.max_bytes} bytes)")
        else:
            variables[name] = entry | {"data": data}
    gone = set(dataset.variables) - set(variables)
    for entry in variables.values() if gone else ():
        entry["attrs"] = references.without(entry["attrs"], gone)
    meta = {
        "suffix": path.suffix.lower() if path.suffix.lower() in storage.SUFFIXES else ".nc",
        "format": dataset.data_model,
        "dims": {name: len(dim) for name, dim in dataset.dimensions.items()},
        "unlimited": [name for name, dim in dataset.dimensions.items() if dim.isunlimited()],
        "attrs": storage.attributes(dataset, str(path)),
        "lat": grid.lat,
        "lon": grid.lon,
        "lead": list(read[0].field.lead),
        "variables": variables,
    }
    return meta, losses


def _masked(layer: Layer, before: dict[str, Any]) -> dict[str, Any]:
    mask: Any = None
    if layer.kinds:
        parts, levels = layer.codes.shape[:2]
        mask = masks.pack(layer.kinds, layer.codes.reshape(parts, levels, -1))
        same = [name for name, entry in before.items() if entry.get("mask") == mask]
        mask = same[0] if same else mask
    return {"level": layer.field.level, "mask": mask}


def _carried(
    variable: storage.Variable, where: str, axis: bool, carrying: Carrying
) -> dict[str, Any] | None:
    """Values of a variable that is not a field, to keep as they are; None to leave it out."""
    size = prod(variable.shape)
    if size <= LIMIT:
        data = packing.pack(storage.raw(variable))
        size = sum(
            len(each) if isinstance(each, bytes) else sum(len(text.encode()) for text in each)
            for each in data.values()
            if isinstance(each, bytes | list)
        )
        if axis or size <= carrying.max_bytes:
            return data
    if carrying.drop:
        return None
    raise SignalError(
        f"{where}: not a field of the model, and too large to carry along ({size:,} bytes); set "
        f"max_carried to that many to keep it, or drop: true to leave it out"
    )
