"""NetCDF files as they are stored: raw values, attributes, chunks, filters; no CF decoding."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import netCDF4
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError, one_line
from inrc_modalities.era5 import packing

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
def opened(path: Path) -> Iterator[netCDF4.Dataset]:
    """Open a file to read raw values.

    Raises:
        SignalError: missing, a folder, no NetCDF, damaged, or with groups.
    """
    if not path.exists():
        raise SignalError(f"{path}: no such file")
    if not path.is_file():
        raise SignalError(f"{path}: is no file; name one NetCDF file")
    try:
        dataset = netCDF4.Dataset(path, "r")
    except (OSError, RuntimeError, ValueError) as error:
        raise SignalError(f"{path}: not a NetCDF file, or damaged ({one_line(error)})") from None
    try:
        dataset.set_auto_maskandscale(False)
        dataset.set_auto_chartostring(False)
        if dataset.groups:
            raise SignalError(
                f"{path}: has groups ({', '.join(dataset.groups)}); extract one to a file of its "
                "own, with `ncks -G : -g NAME`, say"
            )
        yield dataset
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise SignalError(f"{path}: cannot be read, damaged ({one_line(error)})") from None
    finally:
        dataset.close()


def raw(variable: Variable) -> NDArray[Any]:
    """All values as they are stored, in the machine's byte order."""
    if is_text(variable):
        return np.asarray(variable[...], object)
    values = np.asarray(variable[...])
    return values.astype(values.dtype.newbyteorder("="))


def attributes(owner: netCDF4.Dataset | Variable, where: str) -> dict[str, Any]:
    """Attributes as plain values, in their order.

    Raises:
        SignalError: one of a type made by a user.
    """
    found = {}
    for name in owner.ncattrs():
        try:
            found[name] = packing.pack_attribute(owner.getncattr(name))
        except ValueError as error:
            raise SignalError(f"{where}: attribute {name!r} is {error}; remove it") from None
    return found


def describe(variable: Variable, where: str) -> dict[str, Any]:
    """Dtype, dimensions, attributes and storage of a variable, without its values.

    Raises:
        SignalError: a type made by a user.
    """
    kind = "str" if is_text(variable) else np.dtype(variable.dtype).str[1:]
    plain = is_text(variable) or isinstance(variable.datatype, np.dtype)
    if not plain or kind not in (*packing.DTYPES, "str"):
        raise SignalError(f"{where}: {variable.name} is of a type made by a user; remove it")
    return {
        "dtype": kind,
        "dims": list(variable.dimensions),
        "attrs": attributes(variable, where),
        "store": _storage(variable),
    }


def create(dataset: netCDF4.Dataset, name: str, entry: Mapping[str, Any]) -> Variable:
    """A variable that is as `describe` said, still without values."""
    store, kind = entry["store"], entry["dtype"]
    attrs = {key: packing.unpack_attribute(each) for key, each in entry["attrs"].items()}
    options: dict[str, Any] = {}
    if "chunks" in store:
        options["chunksizes"] = tuple(
            chunk or max(1, len(dataset.dimensions[dim]))
            for chunk, dim in zip(store["chunks"], entry["dims"], strict=True)
        )
    elif store.get("contiguous"):
        options["contiguous"] = True
    order: Literal["=", ">"] = "="
    if store.get("endian") == "big":  # must be said twice
        options["endian"], order = "big", ">"
    if "filter" in store and kind != "str":
        options["compression"], level = store["filter"]
        options["complevel"] = level
        options["shuffle"] = bool(store.get("shuffle"))
    if store.get("fletcher32"):
        options["fletcher32"] = True
    variable = dataset.createVariable(
        name,
        str if kind == "str" else np.dtype(kind).newbyteorder(order),
        tuple(entry["dims"]),
        fill_value=attrs.pop("_FillValue", None),
        **options,
    )
    variable.set_auto_maskandscale(False)
    if kind != "str":
        variable.set_auto_chartostring(False)
    variable.setncatts(attrs)
    return variable


def check_suffix(path: Path) -> None:
    """Refuse to write NetCDF under another name.

    Raises:
        SignalError: the suffix is none of SUFFIXES.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SignalError(f"{path}: cannot write {path.suffix!r}; use {' or '.join(SUFFIXES)}")


def is_text(variable: Variable) -> bool:
    """A variable of texts of any length, which has no numpy dtype."""
    kind: Any = variable.dtype
    return kind is str


def _storage(variable: Variable) -> dict[str, Any]:
    filters, chunks = variable.filters(), variable.chunking()
    if filters is None:  # NetCDF 3 has none of all this
        return {}
    store: dict[str, Any] = {}
    if chunks == "contiguous":
        store["contiguous"] = True
    elif isinstance(chunks, list | tuple) and chunks:
        # 0 for a chunk as long as its dimension: files that differ in length alone then agree
        store["chunks"] = [
            0 if chunk == size else int(chunk)
            for chunk, size in zip(chunks, variable.shape, strict=True)
        ]
    for name in ("zlib", "zstd", "bzip2"):
        if filters.get(name):
            store["filter"] = [name, int(filters["complevel"])]
    if filters.get("szip") or filters.get("blosc"):
        store["filter"] = ["zlib", 4]  # the library's default level; lossless as these are
    for name in ("shuffle", "fletcher32"):
        if filters.get(name):
            store[name] = True
    if variable.endian() == "big":
        store["endian"] = "big"
    return store
