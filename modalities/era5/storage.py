"""NetCDF files as they are stored: raw values, attributes, chunks, filters; no CF decoding."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import netCDF4
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.files import explained
from inrc_modalities.era5 import layout, packing

if TYPE_CHECKING:
    Variable: TypeAlias = netCDF4.Variable[Any]
else:  # generic in the stubs only
    Variable = netCDF4.Variable

SUFFIXES = (".nc", ".nc4")
FORMATS = (
    "NETCDF4",
    "NETCDF4_CLASSIC",
    "NETCDF3_CLASSIC",
    "NETCDF3_64BIT_OFFSET",
    "NETCDF3_64BIT_DATA",
)


@contextmanager
def opened(path: Path, groups: bool = False) -> Iterator[netCDF4.Dataset]:
    """Open a file to read raw values.

    Args:
        path: a NetCDF file.
        groups: accept a file that has groups, of which only the root is read.

    Raises:
        SignalError: missing, a folder, not NetCDF, damaged, or with groups.
    """
    if path.is_dir():
        raise SignalError(f"{path}: not a file; name one NetCDF file")
    with explained(path, "a NetCDF file"), netCDF4.Dataset(path, "r") as dataset:
        dataset.set_auto_maskandscale(False)
        dataset.set_auto_chartostring(False)
        if dataset.groups and not groups:
            raise SignalError(
                f"has groups ({', '.join(dataset.groups)}), which are not kept; extract "
                "one to its own file with `ncks -G : -g NAME`, or set drop: true"
            )
        yield dataset


def raw(variable: Variable) -> NDArray[Any]:
    """All values as they are stored, in the machine's byte order."""
    if is_text(variable):
        return np.asarray(variable[...], object)
    values = np.asarray(variable[...])
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def attributes(owner: netCDF4.Dataset | Variable, where: str) -> dict[str, Any]:
    """Attributes as plain values, in their order.

    Raises:
        SignalError: an attribute of a user-defined type.
    """
    attrs = {}
    for name in owner.ncattrs():
        try:
            attrs[name] = packing.pack_attribute(owner.getncattr(name))
        except ValueError as error:
            raise SignalError(f"{where}: attribute {name!r} is {error}; remove it") from None
    return attrs


def describe(variable: Variable, where: str) -> dict[str, Any]:
    """Dtype, dimensions, attributes and storage of a variable, without its values.

    Raises:
        SignalError: a user-defined type that is not an enumeration.
    """
    if not is_plain(variable):
        raise SignalError(
            f"{where}: {variable.name} is of a user-defined type, which is not kept; remove it "
            "with `ncks -x -v NAME`, or set drop: true"
        )
    entry = {
        "dtype": "str" if is_text(variable) else np.dtype(variable.dtype).str[1:],
        "dims": list(variable.dimensions),
        "attrs": attributes(variable, f"{where}: {variable.name}"),
        "store": layout.of(variable),
    }
    if isinstance(variable.datatype, netCDF4.EnumType):
        members = {name: int(each) for name, each in variable.datatype.enum_dict.items()}
        entry["enum"] = [variable.datatype.name, members]
    return entry


def create(dataset: netCDF4.Dataset, name: str, entry: Mapping[str, Any]) -> Variable:
    """A variable as `describe` said, still without values."""
    kind: Any = str if entry["dtype"] == "str" else np.dtype(entry["dtype"])
    attrs = {key: packing.unpack_attribute(each) for key, each in entry["attrs"].items()}
    options = layout.options(entry, {dim: len(each) for dim, each in dataset.dimensions.items()})
    if options.get("endian") == "big":  # netCDF4 needs it in the dtype, too
        kind = kind.newbyteorder(">")
    if "enum" in entry:
        called, members = entry["enum"]
        known = (dataset.enumtypes or {}).get(called)
        kind = known or dataset.createEnumType(kind, called, dict(members))
    fill = attrs.pop("_FillValue", None)
    if fill is None and not entry["store"].get("fill", True):
        fill = False
    variable = dataset.createVariable(name, kind, tuple(entry["dims"]), fill_value=fill, **options)
    variable.set_auto_maskandscale(False)
    if entry["dtype"] != "str":
        variable.set_auto_chartostring(False)
    variable.setncatts(attrs)
    return variable


def check_suffix(path: Path) -> None:
    """Refuse to write NetCDF under another suffix.

    Raises:
        SignalError: the suffix is not one of SUFFIXES.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SignalError(f"{path}: cannot write {path.suffix!r}; use {' or '.join(SUFFIXES)}")


def is_text(variable: Variable) -> bool:
    """Whether a variable holds strings of any length, which have no NumPy dtype."""
    kind: Any = variable.dtype
    return kind is str


def is_plain(variable: Variable) -> bool:
    """Whether a variable is of a type that is kept: numbers, characters, strings, enumerations."""
    if is_text(variable):
        return True
    if not isinstance(variable.datatype, np.dtype | netCDF4.EnumType):
        return False
    return np.dtype(variable.dtype).str[1:] in packing.DTYPES
