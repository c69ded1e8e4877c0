"""NetCDF files as training data."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import netCDF4
import numpy as np

from inrc.data import SignalDataModule
from inrc.errors import SignalError, UsageError
from inrc_modalities.era5 import storage
from inrc_modalities.era5.modality import ERA5, MAX_CARRIED


@dataclass(kw_only=True, eq=False)
class ERA5DataModule(SignalDataModule):
    """Any folder of NetCDF files, or one file; every globe in them is a row.

    The variables, levels and ranges of the model are found in the training files at once, so that
    `modality` is complete, and `train_paths` and `val_paths` are known, from the beginning.

    Args:
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
        sample_folder: where the sample, or the parts of a file, are written.

    Raises:
        UsageError: a `hold_dim` without one file.
        SignalError: files that are missing, unreadable or unlike each other.
    """

    variables: list[str] | None = None
    levels_as_channels: bool = True
    area_weights: bool = True
    drop: bool = False
    exclude_outliers: bool = False
    max_carried: int = MAX_CARRIED
    rename: dict[str, str] | None = None
    hold_dim: str | None = None
    hold_last: int = 1
    sample_folder: Path = Path("runs/sample/era5")

    modality: ERA5 = field(init=False)

    def __post_init__(self) -> None:
        """Check the options, and find what the model needs to know in the training files."""
        super().__post_init__()
        if self.hold_dim is not None and (self.root is None or not self.root.is_file()):
            raise UsageError("data.hold_dim: needs data.root to be one file; give both")
        if self.hold_dim is not None and self.val_root is not None:
            raise UsageError("data.hold_dim: keeps a part of data.root; leave data.val_root out")
        self.find_files()
        self.modality = self.modality.resolve(self.train_paths)

    def build_modality(self) -> ERA5:
        """Fields of these options, before the training files are read."""
        return ERA5(
            variables=self.variables,
            levels_as_channels=self.levels_as_channels,
            area_weights=self.area_weights,
            drop=self.drop,
            exclude_outliers=self.exclude_outliers,
            max_carried=self.max_carried,
            rename=self.rename,
        )

    def files(self) -> tuple[list[Path], list[Path]]:
        """Training files and validation files."""
        if self.hold_dim is None or self.root is None:
            return super().files()
        train, held = hold(self.root, self.hold_dim, self.hold_last, self.sample_folder)
        return [train], [held]

    def check(self, path: Path) -> None:
        """Raise SignalError if a file cannot be used."""
        self.modality.resolve([path])


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
