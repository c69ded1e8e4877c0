"""Archives of a reanalysis as training data: NetCDF, GRIB, Zarr, here or elsewhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inrc.errors import UsageError
from inrc_modalities.era5 import presets, sources
from inrc_modalities.era5.data import ERA5DataModule
from inrc_modalities.era5.modality import ERA5
from inrc_modalities.era5.slicing import Choice, slices


class Reanalysis(ERA5DataModule):
    """Part of an archive, cut into NetCDF files that the codec can compress.

    The archive is opened lazily: only the chosen part is read, once, and stays in `folder`. The
    last files, which are the last in time, are kept for validation.

    ERA5 is free for any use with attribution (Copernicus licence: "Contains modified Copernicus
    Climate Change Service information"); cite H. Hersbach et al., "The ERA5 global reanalysis",
    2020.

    Args:
        source: a NetCDF or GRIB file, the folder of a Zarr store, or the URL of one.
        preset: `coinpp` thins the grid to 46 by 90, takes the temperature at 2 m, scales it from
            202.66 K and 320.93 K to [0, 1] and weighs all grid points alike, as COIN++ does.
        variables: names of the variables to learn; None takes all on the grid, or the preset's.
        select: for some dimensions the coordinates to keep, {level: [500, 850]}.
        start: first time: 1979, 2016-01-01T06.
        stop: last time, itself included.
        every: stride in time.
        thin: stride in rows and columns.
        keys: of a GRIB file, the messages to take: {typeOfLevel: surface}.
        download: allow reading from a URL.
        folder: where the files go.
        steps: times per file.
        levels_as_channels: one row has all levels; False makes a row of every level.
        area_weights: errors count by area; a preset sets it.
        exclude_outliers: treat values far outside all others as missing, instead of an error.
        batch_size: rows per step and process.
        val_fraction: share of the files kept for validation.
        workers: processes that read ahead.

    Raises:
        UsageError: a URL without `download`, an unknown preset, or a preset and `thin`.
        SignalError: a source that cannot be opened or lacks what is chosen.
    """

    def __init__(
        self,
        source: str,
        preset: str | None = None,
        variables: list[str] | None = None,
        select: dict[str, list[float]] | None = None,
        start: str | None = None,
        stop: str | None = None,
        every: int = 1,
        thin: int = 1,
        keys: Mapping[str, Any] | None = None,
        download: bool = False,
        folder: Path = Path("runs/data/era5"),
        steps: int = 8,
        levels_as_channels: bool = True,
        area_weights: bool = True,
        exclude_outliers: bool = False,
        batch_size: int = 16,
        val_fraction: float = 0.2,
        workers: int = 0,
    ) -> None:
        if sources.remote(source) and not download:
            raise UsageError(
                f"{source}: is remote; set download: true to read the chosen part of it, or name a "
                "local copy"
            )
        chosen = None if preset is None else presets.preset(preset)
        if chosen is not None and thin != 1:
            raise UsageError(f"preset {preset} sets the grid: leave thin out")
        self.source, self.preset, self.folder = source, preset, folder
        choice = Choice(
            None if variables is None else tuple(variables),
            select, start, stop, every, thin, keys, steps,
        )  # fmt: skip
        self.slices = slices(source, choice, folder, chosen)
        super().__init__(
            self.slices[0].parent, levels_as_channels=levels_as_channels,
            area_weights=area_weights if chosen is None else chosen.area_weights,
            exclude_outliers=exclude_outliers, batch_size=batch_size, val_fraction=val_fraction,
            workers=workers,
        )  # fmt: skip
        if chosen is not None:
            pinned = self.modality.settings() | {"ranges": [list(chosen.range)]}
            self.modality = ERA5(**pinned)

    def files(self) -> tuple[list[Path], list[Path]]:
        """Training files and validation files, of this choice only."""
        held = min(max(round(len(self.slices) * self.val_fraction), 1), len(self.slices) - 1)
        if not held:
            return self.slices, self.slices
        return self.slices[:-held], self.slices[-held:]
