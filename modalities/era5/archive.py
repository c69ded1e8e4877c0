"""Archives of a reanalysis as training data: NetCDF, GRIB, Zarr, here or elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inrc.data import NamedDataSet
from inrc.errors import UsageError
from inrc_modalities.era5 import presets, sources
from inrc_modalities.era5.data import ERA5DataModule
from inrc_modalities.era5.modality import ERA5
from inrc_modalities.era5.slicing import Choice, slices


@dataclass(kw_only=True, eq=False)
class Reanalysis(NamedDataSet, ERA5DataModule):
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
        area_weights: errors count by area; a preset sets it.

    Raises:
        UsageError: a URL without `download`, an unknown preset, or a preset and `thin`.
        SignalError: a source that cannot be opened or lacks what is chosen.
    """

    root: Path | None = field(default=None, init=False)
    source: str = field(kw_only=False)
    preset: str | None = None
    select: dict[str, list[float]] | None = None
    start: str | None = None
    stop: str | None = None
    every: int = 1
    thin: int = 1
    keys: Mapping[str, Any] | None = None
    download: bool = False
    folder: Path = Path("runs/data/era5")
    steps: int = 8
    val_fraction: float = 0.2
    hold_dim: str | None = field(default=None, init=False)
    hold_last: int = field(default=1, init=False)

    def __post_init__(self) -> None:
        """Check the options, and cut the archive."""
        if sources.remote(self.source) and not self.download:
            raise UsageError(
                f"{self.source}: is remote; set download: true to read the chosen part of it, or "
                "name a local copy"
            )
        chosen = None if self.preset is None else presets.preset(self.preset)
        if chosen is not None and self.thin != 1:
            raise UsageError(f"data.thin: preset {self.preset} sets the grid; leave it out")
        choice = Choice(
            None if self.variables is None else tuple(self.variables),
            self.select, self.start, self.stop, self.every, self.thin, self.keys, self.steps,
        )  # fmt: skip
        self.slices = slices(self.source, choice, self.folder, chosen)
        self.root = self.slices[0].parent
        if chosen is not None:
            self.area_weights = chosen.area_weights
        super().__post_init__()
        if chosen is not None:
            pinned = self.modality.settings() | {"ranges": [list(chosen.range)]}
            self.modality = ERA5(**pinned)

    def files(self) -> tuple[list[Path], list[Path]]:
        """Training files and validation files, of this choice only."""
        return self.hold_out(self.slices)
