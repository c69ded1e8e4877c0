"""How a variable lies in its file: chunks, filters, byte order, fill mode."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

FILTERS = ("zlib", "zstd", "bzip2")
"""Lossless filters of the NetCDF library that every build has; others become zlib."""
_SWITCHES = {"contiguous", "shuffle", "fletcher32", "fill"}
_KEYS = {*_SWITCHES, "chunks", "filter", "endian"}
_MAX_LEVEL = 22  # of zstd; those of zlib and bzip2 end at 9
_MAX_CHUNK = 1 << 28
"""Largest chunk in bytes, which the library holds in memory: 64 times its default of 4 MiB."""


def of(variable: Any) -> dict[str, Any]:
    """The layout of a variable, without what is the default."""
    filters, chunks = variable.filters(), variable.chunking()
    if filters is None:  # NetCDF 3
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
    for name in FILTERS:
        if filters.get(name):
            store["filter"] = [name, int(filters["complevel"])]
    if other_filter(variable) is not None:
        store["filter"] = ["zlib", 4]  # the library's default level
    for name in ("shuffle", "fletcher32"):
        if filters.get(name):
            store[name] = True
    if variable.endian() == "big":
        store["endian"] = "big"
    if isinstance(variable.datatype, np.dtype) and variable.get_fill_value() is None:
        store["fill"] = False
    return store


def other_filter(variable: Any) -> str | None:
    """The name of a filter that is replaced by zlib; None without one."""
    filters: Mapping[str, Any] = variable.filters() or {}
    return next((name for name in ("szip", "blosc") if filters.get(name)), None)


def check(entry: Mapping[str, Any], dims: Mapping[str, int]) -> None:
    """Check what a header says about the layout of a variable.

    Raises:
        ValueError: a layout that no NetCDF file can have.
    """
    store = entry["store"]
    if not isinstance(store, Mapping) or not set(store) <= _KEYS:
        raise ValueError("layout")
    if any(
        type(store.get(key, True)) is not bool for key in _KEYS - {"chunks", "filter", "endian"}
    ):
        raise ValueError("layout")
    if store.get("endian", "big") != "big":
        raise ValueError("byte order")
    if "contiguous" in store and {"chunks", "filter", "shuffle", "fletcher32"} & set(store):
        raise ValueError("contiguous and chunked")
    if "filter" in store:
        name, level = store["filter"]
        if name not in FILTERS or type(level) is not int or not 0 <= level <= _MAX_LEVEL:
            raise ValueError("filter")
    if "chunks" in store:
        chunks, sizes = list(store["chunks"]), [dims[dim] for dim in entry["dims"]]
        if len(chunks) != len(sizes) or not all(type(n) is int and n >= 0 for n in chunks):
            raise ValueError("chunks")
        # chunks along an unlimited dimension may be longer than it
        if any(n > size for n, size in zip(chunks, sizes, strict=True)):
            whole = prod(n or size for n, size in zip(chunks, sizes, strict=True))
            width = 8 if entry["dtype"] == "str" else np.dtype(entry["dtype"]).itemsize
            if whole * width > _MAX_CHUNK:
                raise ValueError("chunks")
    if "enum" in entry:
        name, members = entry["enum"]
        if not isinstance(name, str) or not members or entry["dtype"][0] not in "iu":
            raise ValueError("enumeration")
        info = np.iinfo(entry["dtype"])
        if not all(type(n) is int and info.min <= n <= info.max for n in members.values()):
            raise ValueError("enumeration")


def options(entry: Mapping[str, Any], dims: Mapping[str, int]) -> dict[str, Any]:
    """The arguments of `createVariable` that make this layout."""
    store = entry["store"]
    made: dict[str, Any] = {}
    if "chunks" in store:
        made["chunksizes"] = tuple(
            chunk or max(1, dims[dim])
            for chunk, dim in zip(store["chunks"], entry["dims"], strict=True)
        )
    elif store.get("contiguous"):
        made["contiguous"] = True
    if store.get("endian") == "big" and entry["dtype"] != "str":
        made["endian"] = "big"
    if "filter" in store and entry["dtype"] != "str":
        made["compression"], made["complevel"] = store["filter"]
        made["shuffle"] = bool(store.get("shuffle"))
    if store.get("fletcher32"):
        made["fletcher32"] = True
    return made
