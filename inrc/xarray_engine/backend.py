"""The entry point of the engine."""

import os
from collections.abc import Iterable
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint, StoreBackendEntrypoint

from inrc.xarray_engine.item import LazyItem

_MAGIC = b"\x89INR"


class InrcBackend(BackendEntrypoint):
    """Opens `.inrc` files of fields with coordinates.

    Names, coordinates and attributes are there at once; a variable's values are decoded when they
    are first asked for, all variables of an item together and once. A dataset can be pickled: the
    names of archive and model travel, and values are decoded again on the other side.
    """

    description = "Decode compressed fields lazily"
    open_dataset_parameters = (
        "filename_or_obj",
        "mask_and_scale",
        "decode_times",
        "concat_characters",
        "decode_coords",
        "drop_variables",
        "use_cftime",
        "decode_timedelta",
        "model",
        "item",
    )

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        mask_and_scale: bool = True,
        decode_times: Any = True,
        concat_characters: bool = True,
        decode_coords: Any = True,
        drop_variables: str | Iterable[str] | None = None,
        use_cftime: bool | None = None,
        decode_timedelta: Any = None,
        model: str | os.PathLike[str] | None = None,
        item: str | None = None,
    ) -> xr.Dataset:
        """Open one file of an archive.

        Args:
            filename_or_obj: the archive.
            mask_and_scale: as for every engine of xarray.
            decode_times: as for every engine of xarray.
            concat_characters: as for every engine of xarray.
            decode_coords: as for every engine of xarray.
            drop_variables: as for every engine of xarray.
            use_cftime: as for every engine of xarray.
            decode_timedelta: as for every engine of xarray.
            model: the codec model; None takes what the archive says itself, or looks for its model
                in the folders of INRC_MODELS.
            item: name of the file in an archive of several.

        Raises:
            ContainerError: the archive is corrupt.
            ModelError: its model is missing or another one.
            SignalError: the archive cannot be read, has several items, or holds data that xarray
                cannot open.
        """
        return StoreBackendEntrypoint().open_dataset(
            LazyItem.open(filename_or_obj, model, item).outline(),
            mask_and_scale=mask_and_scale,
            decode_times=decode_times,
            concat_characters=concat_characters,
            decode_coords=decode_coords,
            drop_variables=drop_variables,
            use_cftime=use_cftime,
            decode_timedelta=decode_timedelta,
        )

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """By the first bytes of a file, or by the suffix if it cannot be read."""
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        try:
            with open(filename_or_obj, "rb") as file:
                return file.read(len(_MAGIC)) == _MAGIC
        except OSError:
            return os.fspath(filename_or_obj).endswith(".inrc")
