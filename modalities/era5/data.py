"""NetCDF files as training data."""

import hashlib
import os
from pathlib import Path

import netCDF4
import numpy as np

from inrc.data import SignalDataModule, read_rows
from inrc.errors import SignalError, UsageError
from inrc_modalities.era5 import storage
from inrc_modalities.era5.modality import ERA5, MAX_CARRIED


class ERA5DataModule(SignalDataModule):
    """Any folder of NetCDF files, or one file; every globe in them is a row.

    The variables, levels and ranges of the model are found in the training files at once, so that
    `modality` is complete, and `train_paths` and `val_paths` are known, from the beginning.

    Args:
        root: folder of files, searched recursively, or one file; None makes up a small planet.
        variables: names of the variables to learn; None takes the quantities of most dimensions.
        levels_as_channels: one row has all levels; False makes a row of every level.
        area_weights: errors count by area; False counts every grid point alike, as COIN++ does.
        drop: leave out large variables, groups and user-defined types, instead of an error.
        exclude_outliers: treat values far outside all others as missing, instead of an error.
        max_carried: packed size in bytes up to which a variable that is not learned is kept.
        rename: for names in files, the names of the model: {t2m: TS}.
        hold_dim: of one file, keep the end of this dimension for validation (an ensemble's
            members, the last years); both parts are written as files to `sample_folder`.
        hold_last: how much of `hold_dim` is kept.
        batch_size: rows per step and process.
        val_fraction: share of the files, the last in order of their names, kept for validation
            where there is no `hold_dim`; one file alone is both.
        sample_folder: where the sample, or the parts of a file, go.
        sample_count: files of the sample.
        seed: of the sample.
        workers: processes that read ahead.
        skip_bad: leave out files that cannot be read, with a line for each, instead of stopping at
            the first.

    Raises:
        UsageError: a `hold_dim` without one file.
        SignalError: files that are missing, unreadable or unlike each other.
    """

    def __init__(
        self,
        root: Path | None = None,
        variables: list[str] | None = None,
        levels_as_channels: bool = True,
        area_weights: bool = True,
        drop: bool = False,
        exclude_outliers: bool = False,
        max_carried: int = MAX_CARRIED,
        rename: dict[str, str] | None = None,
        hold_dim: str | None = None,
        hold_last: int = 1,
        batch_size: int = 16,
        val_fraction: float = 0.2,
        sample_folder: Path = Path("runs/sample/era5"),
        sample_count: int = 32,
        seed: int = 0,
        workers: int = 0,
        skip_bad: bool = False,
    ) -> None:
        modality = ERA5(
            variables=variables,
            levels_as_channels=levels_as_channels,
            area_weights=area_weights,
            drop=drop,
            exclude_outliers=exclude_outliers,
            max_carried=max_carried,
            rename=rename,
        )
        super().__init__(
            modality, root, batch_size, val_fraction, sample_folder, sample_count, seed, workers,
            skip_bad,
        )  # fmt: skip
        if hold_dim is not None and (root is None or not root.is_file()):
            raise UsageError(f"globes: hold_dim {hold_dim} needs root to be one file, not {root}")
        self.variables = variables
        self.hold_dim = hold_dim
        self.hold_last = hold_last
        self.train_paths, self.val_paths = self.usable_files()
        self.modality = modality.resolve(self.train_paths)

    def files(self) -> tuple[list[Path], list[Path]]:
        """Training files and validation files."""
        if self.hold_dim is None or self.root is None:
            return super().files()
        train, held = hold(self.root, self.hold_dim, self.hold_last, self.sample_folder)
        return [train], [held]

    def check(self, path: Path) -> None:
        """Raise SignalError if a file cannot be used."""
        self.modality.resolve([path])

    def setup(self, stage: str) -> None:
        """Read all files into memory, once."""
        if self.train_rows is None:
            self.train_rows = read_rows(self.modality, self.train_paths)
            self.val_rows = read_rows(self.modality, self.val_paths)


def hold(path: Path, dim: str, last: int, folder: Path) -> tuple[Path, Path]:
    """Cut a file in two along a dimension: all but the `last`, and those.

    Values, attributes and storage are those of the file, bit by bit. The parts stay in `folder`
    for as long as the file is not changed.

    Raises:
        SignalError: no such dimension, or too short to be cut there.
    """
    with storage.opened(path) as dataset:
        if dim not in dataset.dimensions:
            raise SignalError(f"{path}: has {', '.join(dataset.dimensions)}; asked for {dim}")
        size = len(dataset.dimensions[dim])
        if not 0 < last < size:
            raise SignalError(f"{path}: {dim} has {size}; hold 1 to {size - 1} of it, not {last}")
        state = path.stat()
        key = f"{path.resolve()} {state.st_size} {state.st_mtime_ns} {dim} {last}"
        stem = f"{path.stem}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        folder.mkdir(parents=True, exist_ok=True)
        train, held = (folder / f"{stem}-{part}{path.suffix}" for part in ("train", "held"))
        for target, part in ((train, slice(0, size - last)), (held, slice(size - last, size))):
            if not target.is_file():
                # other processes may write the same
                part_path = target.with_name(f"{target.name}.{os.getpid()}.part")
                _copy(dataset, part_path, dim, part)
                os.replace(part_path, target)
    return train, held


def _copy(dataset: netCDF4.Dataset, target: Path, dim: str, part: slice) -> None:
    with netCDF4.Dataset(target, "w", format=dataset.data_model) as copy:
        copy.setncatts({name: dataset.getncattr(name) for name in dataset.ncattrs()})
        for name, one in dataset.dimensions.items():
            size = part.stop - part.start if name == dim else len(one)
            copy.createDimension(name, None if one.isunlimited() else size)
        for name, variable in dataset.variables.items():
            entry = storage.describe(variable, str(target))
            if "chunks" in entry["store"]:
                chunks = zip(entry["store"]["chunks"], variable.dimensions, strict=True)
                most = part.stop - part.start
                entry["store"]["chunks"] = [min(n, most) if d == dim else n for n, d in chunks]
            made = storage.create(copy, name, entry)
            values = np.asarray(variable[...])
            if dim in variable.dimensions:
                place = [slice(None)] * values.ndim
                place[variable.dimensions.index(dim)] = part
                values = values[tuple(place)]
            made[tuple(slice(0, n) for n in values.shape) or ...] = (
                values if values.ndim else values[()]
            )
