"""One item of an archive: its outline at once, its values when they are first asked for."""

import os
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import AbstractDataStore, BackendArray, NetCDF4DataStore
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK
from xarray.core import indexing

from inrc.container import peek
from inrc.errors import ModelError, SignalError

if TYPE_CHECKING:
    from inrc.codec import Opened
    from inrc.signal import Signal


class LazyItem:
    """The native file that an item decodes to.

    Args:
        path: the archive.
        model: the codec model; None looks for it as `inrc decompress` does.
        number: of the item in the archive.
        opened: the archive, if it is open already.
    """

    def __init__(
        self, path: Path, model: Path | None, number: int, opened: "Opened | None" = None
    ) -> None:
        self.path = path
        self.model = model
        self.number = number
        self._opened = opened
        self._values: dict[str, NDArray[Any]] | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        model: str | os.PathLike[str] | None,
        item: str | None,
    ) -> "LazyItem":
        """Open an archive, without decoding any value.

        Raises:
            ContainerError: the archive is corrupt.
            ModelError: its model is missing or another one.
            SignalError: the archive cannot be read, or has several items and none of this name.
        """
        path, chosen = Path(path).resolve(), None if model is None else Path(model).resolve()
        opened = _open(path, chosen)
        names = [each.name for each in opened.archive.items]
        if item not in names and (len(names) > 1 or item is not None):
            if names == [""]:
                raise SignalError(f"{path}: holds one file; leave out item={item!r}")
            raise SignalError(f"{path}: holds {', '.join(names[:5])}; name one with item=")
        return cls(path, chosen, names.index(item) if item in names else 0, opened)

    def outline(self) -> AbstractDataStore:
        """Everything as it is stored; the values of fields are decoded when they are asked for.

        Raises:
            SignalError: data that xarray cannot open.
        """
        opened = self._archive()
        meta = opened.archive.items[self.number].meta
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "outline.nc"
            with NETCDF4_PYTHON_LOCK:
                names = opened.model.modality.outline(meta, path)
            with closing(_store(path)) as store:
                stored, attrs = store.load()
                encoding = store.get_encoding()
                kept = _Kept(
                    {str(name): _loaded(stored[name]) for name in set(stored) - set(names)}
                )
                variables = {
                    str(name): _lazy(self if name in names else kept, str(name), each)
                    for name, each in stored.items()
                }
        for each in variables.values():
            each.encoding["source"] = str(self.path)
        return _Outline(variables, dict(attrs), dict(encoding))

    def values(self, name: str) -> NDArray[Any]:
        """Stored values of a field; the first call decodes the item, others wait for it."""
        with self._lock:
            if self._values is None:
                from inrc.signal import View

                self._values = self._written(self._archive().signal(self.number, View()))
                self._opened = None  # model and symbols are no longer needed
            return self._values[name]

    def _archive(self) -> "Opened":
        if self._opened is None:
            self._opened = _open(self.path, self.model)
        return self._opened

    def _written(self, signal: "Signal") -> dict[str, NDArray[Any]]:
        """The stored values of the file that a signal is written to."""
        modality = self._archive().model.modality
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "decoded.nc"
            with NETCDF4_PYTHON_LOCK:
                modality.write(signal, path)
            with closing(_store(path)) as store:
                return {str(name): _loaded(each) for name, each in store.load()[0].items()}

    def __getstate__(self) -> tuple[Path, Path | None, int]:
        return self.path, self.model, self.number

    def __setstate__(self, state: tuple[Path, Path | None, int]) -> None:
        LazyItem.__init__(self, *state)


class _Outline(AbstractDataStore):
    """The variables of a file, some of them lazy."""

    def __init__(
        self, variables: dict[str, xr.Variable], attrs: dict[str, Any], encoding: dict[str, Any]
    ) -> None:
        self.variables, self.attrs, self.encoding = variables, attrs, encoding

    def get_variables(self) -> dict[str, xr.Variable]:
        return self.variables

    def get_attrs(self) -> dict[str, Any]:
        return self.attrs

    def get_encoding(self) -> dict[str, Any]:
        return self.encoding

    def close(self) -> None:
        """Nothing is open."""


class _Kept:
    """Values that are known from the beginning: coordinates, and what is carried along."""

    def __init__(self, arrays: dict[str, NDArray[Any]]) -> None:
        self._arrays = arrays

    def values(self, name: str) -> NDArray[Any]:
        """The stored values of a variable."""
        return self._arrays[name]


class _Values(BackendArray):
    """The stored values of one variable, in the dtype that its file declares."""

    def __init__(self, source: LazyItem | _Kept, name: str, like: xr.Variable) -> None:
        self.source = source
        self.name = name
        self.shape = like.shape
        self.dtype = like.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key,
            self.shape,
            indexing.IndexingSupport.BASIC,
            lambda index: self.source.values(self.name)[index],
        )


def _store(path: Path) -> Any:  # its methods are not typed
    return NetCDF4DataStore.open(path)  # type: ignore[no-untyped-call]


def _lazy(source: LazyItem | _Kept, name: str, like: xr.Variable) -> xr.Variable:
    data = indexing.LazilyIndexedArray(_Values(source, name, like))
    return xr.Variable(like.dims, data, like.attrs, like.encoding)


def _loaded(variable: xr.Variable) -> NDArray[Any]:
    """All values; strings as objects, of any length."""
    values = np.asarray(variable.values)
    return values.astype(object) if variable.dtype == object else values


def _open(path: Path, model: Path | None) -> "Opened":
    from inrc.codec import open_archive
    from inrc.model import Model

    try:
        data = path.read_bytes()
    except OSError as error:
        raise SignalError(f"{path}: cannot be read ({error.strerror})") from error
    seen = peek(data)
    chosen = Model.of(seen) if model is None else Model.load(model)
    if chosen.id != seen.model_id:
        raise ModelError(
            f"{path}: needs model {seen.model_id.hex()}, and {model} is model {chosen.id.hex()}"
        )
    return open_archive(data, chosen)
