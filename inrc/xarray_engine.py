"""`xr.open_dataset("t2m.inrc", engine="inrc")`: the decoded file, read only when asked for."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from inrc.container import peek
from inrc.errors import SignalError

if TYPE_CHECKING:
    from inrc.codec import Opened
    from inrc.signal import Signal


class InrcBackend(BackendEntrypoint):
    """Opens `.inrc` files of fields with coordinates.

    Names, coordinates and attributes are there at once, from the symbols alone; a variable's values
    are decoded when they are first asked for. The model is given as `model=`, or found by its id in
    the folders of INRC_MODELS, unless the file needs none. An archive of several files opens as the
    one called `item`.
    """

    description = "Decode compressed fields lazily"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "model", "item")

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        model: str | os.PathLike[str] | None = None,
        item: str | None = None,
        decode_times: bool = True,
    ) -> xr.Dataset:
        """Raises ContainerError, ModelError and SignalError as decompressing does."""
        # xarray imports every engine at its first open_dataset: torch must not come with this one
        from inrc.codec import open_archive
        from inrc.model import Model

        path = Path(filename_or_obj)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SignalError(f"{path}: cannot be read ({error.strerror})") from error
        seen = peek(data)
        found = Model.of(seen) if model is None else Model.load(Path(model))
        opened = open_archive(data, found)
        names = [each.name for each in opened.archive.items]
        if len(names) > 1 and item not in names:
            raise SignalError(f"{path}: holds {', '.join(names[:5])}; say which with item=")
        number = names.index(item) if item in names else 0
        meta = opened.archive.items[number].meta
        suffix = Path(names[number]).suffix or found.modality.suffix(meta)
        outline = _Decoded(opened, number, suffix, decode_times).outline()
        dropped = {drop_variables} if isinstance(drop_variables, str) else set(drop_variables or ())
        return outline.drop_vars(dropped & set(outline.variables))

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """By suffix."""
        return str(filename_or_obj).endswith(".inrc")


class _Decoded:
    """The native file that an item decodes to: first its outline, then its values."""

    def __init__(self, opened: "Opened", number: int, suffix: str, decode_times: bool) -> None:
        self.opened = opened
        self.number = number
        self.suffix = suffix
        self.decode_times = decode_times
        self.whole: xr.Dataset | None = None

    def outline(self) -> xr.Dataset:
        """Everything but the values, which are decoded when they are asked."""
        import torch

        from inrc.signal import View

        model = self.opened.model
        meta = self.opened.archive.items[self.number].meta
        plan = model.modality.plan_queries(meta, View())
        blank = torch.zeros(len(plan.parts), plan.queries.shape[1], model.modality.feature_dim)
        outline = self._written(model.modality.join(blank, meta, View()))
        lazy = {
            name: xr.Variable(
                variable.dims,
                indexing.LazilyIndexedArray(_Values(self, str(name), variable)),
                variable.attrs,
                variable.encoding,
            )
            for name, variable in outline.data_vars.variables.items()
        }
        return outline.assign(lazy)

    def values(self, name: str) -> NDArray[Any]:
        """Values of a variable; the first question decodes the item."""
        from inrc.signal import View

        if self.whole is None:
            self.whole = self._written(self.opened.signal(self.number, View()))
        return np.asarray(self.whole[name].values)

    def _written(self, signal: "Signal") -> xr.Dataset:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"decoded{self.suffix}"
            self.opened.model.modality.write(signal, path)
            try:
                with xr.open_dataset(path, decode_times=self.decode_times) as dataset:
                    return dataset.load()
            except ValueError as error:
                name = self.opened.model.modality.name
                raise SignalError(
                    f"{name} files are not opened by xarray: decompress it"
                ) from error


class _Values(BackendArray):
    """One variable of a decoded item."""

    def __init__(self, decoded: _Decoded, name: str, like: xr.Variable) -> None:
        self.decoded = decoded
        self.name = name
        self.shape = like.shape
        self.dtype = like.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key,
            self.shape,
            indexing.IndexingSupport.BASIC,
            lambda index: self.decoded.values(self.name)[index],
        )
