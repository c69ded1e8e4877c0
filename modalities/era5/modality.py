"""The era5 plugin: physical fields as answers at unit vectors on the sphere."""

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from inrc.errors import SignalError
from inrc.signal import Baseline, Modality, QueryPlan, Signal, View, flat
from inrc_modalities.era5 import baselines, quality, regridding, sample, sphere, storage
from inrc_modalities.era5.channels import scale
from inrc_modalities.era5.describing import Carrying, File, read_file
from inrc_modalities.era5.header import Header
from inrc_modalities.era5.pinned import Pinned, check
from inrc_modalities.era5.reading import Options, layers
from inrc_modalities.era5.views import axes
from inrc_modalities.era5.writing import write

MAX_CARRIED = 64 * 1024  # bytes: a few times what the fields of a file take


class ERA5(Modality):
    """Fields on a latitude/longitude grid of a NetCDF file; a globe at one time is one part.

    A channel is a variable on a level, scaled so that its range over the training files is [0, 1].
    Every combination of the other dimensions (time, member, ...) is a part. A file comes back with
    its coordinates, attributes, packing and missing values as they were. Variables that are not
    fields of the model, categorical ones among them, are carried along unchanged.

    One grid point, the unit of a rate, is one location at one time: its channels are not counted.
    `values` counts them.

    A model must read every file alike, so what `resolve` finds in training files (`variables`,
    `levels`, `units`, `ranges`) is a setting; an ERA5 without them cannot read yet. Files may use
    other units of the same quantity: values are converted, and come back in the file's unit.

    Args:
        variables: names of the fields of the model, in the order of their channels; None takes the
            quantities of most dimensions.
        levels: for each variable, the values of its vertical coordinate; empty without one.
        units: for each variable, its `units` attribute.
        ranges: for each channel, the values that become 0 and 1.
        levels_as_channels: one part has all levels; False makes a part of every level.
        area_weights: errors count by area; False counts every grid point alike, as COIN++ does.
        drop: leave out large variables, groups and user-defined types, instead of an error.
        exclude_outliers: treat values far outside all others as missing, instead of an error.
        max_carried: packed size in bytes up to which a variable that is not a field is kept.
        rename: for names in files, the names of the model: {"t2m": "TS"}.
    """

    name: ClassVar[str] = "era5"
    suffixes: ClassVar[tuple[str, ...]] = storage.SUFFIXES
    unit: ClassVar[str] = "grid point"
    axes: ClassVar[tuple[str, ...]] = ("lat", "lon")

    def __init__(
        self,
        variables: list[str] | None = None,
        levels: list[list[float]] | None = None,
        units: list[str] | None = None,
        ranges: list[list[float]] | None = None,
        levels_as_channels: bool = True,
        area_weights: bool = True,
        drop: bool = False,
        exclude_outliers: bool = False,
        max_carried: int = MAX_CARRIED,
        rename: dict[str, str] | None = None,
    ) -> None:
        width = check(variables, levels, units, ranges)
        if rename and len(set(rename.values())) < len(rename):
            raise SignalError(f"era5: rename {rename}: give each variable one name")
        self.variables = variables
        self.levels = levels
        self.units = units
        self.ranges = ranges
        self.levels_as_channels = levels_as_channels
        self.area_weights = area_weights
        self.drop = drop
        self.exclude_outliers = exclude_outliers
        self.max_carried = max_carried
        self.rename = rename or None
        self.query_dim = self.point_dim = 3
        self.value_dim = self.feature_dim = width
        self._options = Options(levels_as_channels, exclude_outliers, rename)

    def settings(self) -> dict[str, Any]:
        settings = {
            "variables": self.variables,
            "levels": self.levels,
            "units": self.units,
            "ranges": self.ranges,
            "levels_as_channels": self.levels_as_channels,
            "area_weights": self.area_weights,
            "drop": self.drop,
        }
        rare = {"exclude_outliers": False, "max_carried": MAX_CARRIED, "rename": None}
        own = {key: getattr(self, key) for key in rare}
        return settings | {key: each for key, each in own.items() if each != rare[key]}

    def resolve(self, paths: Sequence[Path]) -> "ERA5":
        """The modality whose settings are pinned to these (training) files; reads all of them."""
        pinned = Pinned.of(paths, self.variables, self.levels, self.units, self._options)
        return ERA5(**{**self.settings(), **vars(pinned)})

    def renamed(self, names: Mapping[str, str]) -> "ERA5":
        """The modality that also reads files whose variables have these names.

        Args:
            names: for names in files, the names of the model.
        """
        self._pinned().check_names(names)
        return ERA5(**{**self.settings(), "rename": {**(self.rename or {}), **names}})

    def read(self, path: Path) -> Signal:
        """Read a file as one part per globe.

        Weights are areas, and 0 where all channels are missing; where only some are, the others
        show the nearest value.
        """
        pinned = self._pinned()
        file = self._file(path)
        header = Header.of(file.meta)
        features, unknown = scale(pinned.channels(file.layers, path), pinned.ranges, header.wraps)
        if unknown.all():
            raise SignalError(
                f"{path}: nothing but missing values in {', '.join(pinned.variables)}"
            )
        return Signal(
            sphere.vectors(header.lat, header.lon)[None],
            torch.from_numpy(features),
            header.shape,
            header.meta,
            sphere.weights(header.lat, len(header.lon), unknown, self.area_weights),
        )

    def losses(self, path: Path) -> list[str]:
        """What a file loses beside the precision of its fields, as short phrases."""
        return self._file(path).losses

    def write(self, signal: Signal, path: Path) -> None:
        """Write a joined signal as NetCDF; packed variables are rounded to what they can hold."""
        write(Header.of(signal.meta), self.physical(signal), path)

    def outline(self, meta: Mapping[str, Any], path: Path) -> tuple[str, ...]:
        """Write a NetCDF file without the values of the fields, and return their names."""
        write(Header.of(meta), None, path)
        return tuple(name for name, entry in meta["variables"].items() if "data" not in entry)

    def physical(self, signal: Signal) -> dict[str, NDArray[np.float64]]:
        """The values P L M of every variable, by its name and in its unit in the file.

        Raises:
            SignalError: features that do not fit the file's header, or are not finite.
        """
        return self._pinned().physical(Header.of(signal.meta), signal.features)

    def shape(self, meta: Mapping[str, Any]) -> tuple[int, ...]:
        """Leading dimensions, latitudes, longitudes, after checking what the meta declares."""
        return Header.of(meta).shape

    def values(self, shape: tuple[int, ...]) -> int:
        """Number of values in a signal of this shape: grid points times channels."""
        return prod(shape) * self.feature_dim

    def plan_queries(self, meta: Mapping[str, Any], view: View) -> QueryPlan:
        """Where to ask: every part on the file's own grid, or on that of a view."""
        header = Header.of(meta)
        lat, lon = header.lat, header.lon
        if view:
            lat, lon = (axis.values.astype(np.float64) for axis in axes(header, view))
        return QueryPlan(sphere.vectors(lat, lon)[None], tuple(range(header.parts)))

    def join(self, features: Float[Tensor, "P M C"], meta: Mapping[str, Any], view: View) -> Signal:
        header = Header.of(meta)
        if view:
            header = Header.of(regridding.regrid(header, *axes(header, view)))
        queries = sphere.vectors(header.lat, header.lon)[None]
        return Signal(queries, flat(features), header.shape, header.meta)

    def measure(self, original: Path, decoded: Path) -> dict[str, float]:
        """Errors in native units, and PSNR in the model's ranges; see `quality.measure`."""
        pinned = self._pinned()
        first, second = (
            layers(path, pinned.variables, self._options) for path in (original, decoded)
        )
        return quality.measure(pinned.scaled, first, second, original, decoded)

    def baselines(self, model: Path | None = None) -> list[Baseline]:
        """JPEG 2000, zfp, SZ3, SPERR: every 2-D slice on its own, within an error."""
        return baselines.baselines(self.variables, self._options)

    def sample(self, folder: Path, seed: int, count: int) -> list[Path]:
        """Write `count` files of a made-up planet's t2m and z500, six time steps each."""
        return sample.write(folder, seed, count)

    def picture(self, original: Path, decoded: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """The first level and part of the first variable of both files, north up."""
        names = None if self.variables is None else self.variables[:1]
        return quality.pictures(original, decoded, names, self._options)

    def _pinned(self) -> Pinned:
        if self.variables is None or self.ranges is None:
            raise SignalError(
                "era5: variables and ranges are not known yet; train a model, or use "
                "ERA5().resolve(training files)"
            )
        return Pinned(self.variables, self.levels or [], self.units or [], self.ranges)

    def _file(self, path: Path) -> File:
        carrying = Carrying(self.max_carried, self.drop)
        return read_file(path, self.variables, self._options, carrying)
