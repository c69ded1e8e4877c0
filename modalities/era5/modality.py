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
from inrc_modalities.era5 import (
    baselines,
    quality,
    reading,
    sample,
    sphere,
    storage,
    views,
    writing,
)
from inrc_modalities.era5.channels import Ranges, channels, label, order, scale
from inrc_modalities.era5.header import Header
from inrc_modalities.era5.reading import Layer, layers
from inrc_modalities.era5.survey import survey


class ERA5(Modality):
    """Fields on a latitude/longitude grid of a NetCDF file; a globe at one time is one part.

    A channel is a variable on a level, scaled so that its range over the training files is [0, 1].
    Every combination of the other dimensions (time, member, ...) is a part. The file comes back
    with its coordinates, attributes, packing and missing values as they were; variables that are
    no field of the model are carried along unchanged, up to 64 KiB each.

    One grid point, the unit of a rate, is one location at one time: its channels are not counted.
    `values` counts them.

    A model must read every file alike, so what `resolve` finds in training files (`variables`,
    `levels`, `units`, `ranges`) is a setting; an ERA5 without them cannot read yet.

    Args:
        variables: names of the fields of the model, in the order of their channels; None takes
            those that have most dimensions.
        levels: for each variable, the values of its vertical coordinate; empty without one.
        units: for each variable, its `units` attribute.
        ranges: for each channel, the values that become 0 and 1.
        levels_as_channels: one part has all levels; False makes a part of every level.
        area_weights: errors count by area; False counts every grid point alike, as COIN++ does.
        drop: leave variables out that are neither fields of the model nor small, instead of
            refusing the file.
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
    ) -> None:
        if variables is not None and (not variables or len(set(variables)) < len(variables)):
            raise SignalError(f"era5: variables {variables}: name each once, or give none")
        width = 1 if variables is None else len(variables)
        if levels is not None:
            width = sum(max(1, len(each)) for each in levels)
        if ranges is not None and (
            not (variables and levels and units)
            or not len(variables) == len(levels) == len(units)
            or len(ranges) != width
            or not all(len(r) == 2 and -np.inf < r[0] < r[1] < np.inf for r in ranges)
        ):
            raise SignalError(
                "era5: ranges need variables, levels and units beside them, and a low and a "
                "higher end for every channel"
            )
        self.variables = variables
        self.levels = levels
        self.units = units
        self.ranges = ranges
        self.levels_as_channels = levels_as_channels
        self.area_weights = area_weights
        self.drop = drop
        self.query_dim = self.point_dim = 3
        self.value_dim = self.feature_dim = width

    def settings(self) -> dict[str, Any]:
        """The arguments that make an equal modality."""
        return {
            "variables": self.variables,
            "levels": self.levels,
            "units": self.units,
            "ranges": self.ranges,
            "levels_as_channels": self.levels_as_channels,
            "area_weights": self.area_weights,
            "drop": self.drop,
        }

    def resolve(self, paths: Sequence[Path]) -> "ERA5":
        """The modality whose settings are pinned to these (training) files; reads all of them.

        Raises:
            SignalError: a file that cannot be read, or differs from the first in its levels or
                units, or a channel of which nothing is known.
        """
        if not paths:
            raise SignalError("era5: no files to find the ranges of variables in")
        names, levels, units = self.variables, self.levels or [], self.units or []
        ranges: Ranges | None = None
        for path in paths:
            read = layers(path, names, self.levels_as_channels)
            if ranges is None:
                fields = [each.field for each in read]
                names = [field.name for field in fields]
                levels = [list(field.levels) for field in fields]
                units = [field.unit for field in fields]
                ranges = Ranges(sum(max(1, len(each)) for each in levels))
            ranges.add(channels(read, levels, units, path))
        assert names is not None and ranges is not None
        for number in ranges.unknown():
            raise SignalError(
                f"{paths[0]}: nothing is known of {label(number, names, levels)}, here or in any "
                "other training file; leave it out"
            )
        pinned = {"variables": names, "levels": levels, "units": units, "ranges": ranges.pairs()}
        return ERA5(**{**self.settings(), **pinned})

    def read(self, path: Path) -> Signal:
        """Read a file as one part per globe.

        Weights are areas, and 0 where no channel is known; where only some are, the others show
        the nearest value that is.

        Raises:
            SignalError: no NetCDF, no grid, other variables, levels or units than the model's,
                infinite values, or nothing known at all.
        """
        variables, ranges = self._pinned()
        with storage.opened(path) as dataset:
            found = survey(dataset, path, self.levels_as_channels)
            fields = reading.chosen(found, variables, path)
            lead = fields[0].lead
            read = [reading.layer(dataset, found, field, lead, path) for field in fields]
            header = Header.of(reading.describe(dataset, found, read, path, self.drop))
        features, unknown = scale(self._channels(read, path), ranges, header.wraps)
        if unknown.all():
            raise SignalError(f"{path}: nothing but missing values in {', '.join(variables)}")
        return Signal(
            sphere.vectors(header.lat, header.lon)[None],
            torch.from_numpy(features),
            header.shape,
            header.meta,
            sphere.weights(header.lat, len(header.lon), unknown, self.area_weights),
        )

    def write(self, signal: Signal, path: Path) -> None:
        """Write a joined signal as NetCDF; packed variables are rounded to what they can hold.

        Raises:
            SignalError: unknown suffix, features that do not fit, or a failing disk.
        """
        writing.write(Header.of(signal.meta), self.physical(signal), path)

    def physical(self, signal: Signal) -> dict[str, NDArray[np.float64]]:
        """The values P L M of every variable in its own units, where missing too.

        Raises:
            SignalError: features that do not fit the file's header, or are not finite.
        """
        variables, ranges = self._pinned()
        header = Header.of(signal.meta)
        size = (header.parts, len(header.lat) * len(header.lon), self.feature_dim)
        if signal.features.numel() != prod(size):
            raise SignalError(f"era5: {tuple(signal.features.shape)} features, not {size}")
        features = signal.features.detach().cpu().double().reshape(size).numpy()
        if not np.isfinite(features).all():
            raise SignalError("era5: decoded values that are not finite; the model is broken")
        ends = np.asarray(ranges)
        values = ends[:, 0] + features * (ends[:, 1] - ends[:, 0])
        counts = [max(1, len(each)) for each in self.levels or []]
        fields = {}
        for name, own in zip(variables, np.split(values, np.cumsum(counts)[:-1], 2), strict=True):
            given = self._given(header, name)
            if header.levels(name) != len(given):
                raise SignalError(f"era5: the header has {header.levels(name)} levels of {name}")
            fields[name] = own.transpose(0, 2, 1)[:, given]
        return fields

    def scaled(self, read: list[Layer], path: Path) -> NDArray[np.float64]:
        """Channels C P H W in the model's ranges, NaN where nothing is known.

        Raises:
            SignalError: other levels or units than the model's.
        """
        _, ranges = self._pinned()
        return np.stack(
            [
                np.where(unknown, np.nan, (values - low) / (high - low))
                for (values, unknown), (low, high) in zip(
                    self._channels(read, path), ranges, strict=True
                )
            ]
        )

    def shape(self, meta: Mapping[str, Any]) -> tuple[int, ...]:
        """Leading dimensions, latitudes, longitudes, after checking what the meta declares.

        Raises:
            SignalError: a meta that no file can have.
        """
        return Header.of(meta).shape

    def values(self, shape: tuple[int, ...]) -> int:
        """Number of values in a signal of this shape: grid points times channels."""
        return prod(shape) * self.feature_dim

    def plan_queries(self, meta: Mapping[str, Any], view: View) -> QueryPlan:
        """Where to ask: every part on the file's own grid, or on that of a view.

        Raises:
            SignalError: what `views.axes` refuses.
        """
        header = Header.of(meta)
        lat, lon = header.lat, header.lon
        if view:
            lat, lon = (axis.values.astype(np.float64) for axis in views.axes(header, view))
        return QueryPlan(sphere.vectors(lat, lon)[None], tuple(range(header.parts)))

    def join(self, features: Float[Tensor, "P M C"], meta: Mapping[str, Any], view: View) -> Signal:
        """The signal of the features decoded at `plan_queries(meta, view)`; its meta is the result's."""
        header = Header.of(meta)
        if view:
            header = Header.of(views.regrid(header, *views.axes(header, view)))
        queries = sphere.vectors(header.lat, header.lon)[None]
        return Signal(queries, flat(features), header.shape, header.meta)

    def measure(self, original: Path, decoded: Path) -> dict[str, float]:
        """Errors in native units, and PSNR in the model's ranges; see `quality.measure`."""
        self._pinned()
        first, second = (
            layers(path, self.variables, self.levels_as_channels) for path in (original, decoded)
        )
        return quality.measure(self.scaled, first, second, original, decoded)

    def baselines(self, model: Path | None = None) -> list[Baseline]:
        """JPEG 2000, zfp, SZ3, SPERR: every 2-D slice on its own, within an error."""
        return baselines.baselines(self.variables, self.levels_as_channels)

    def sample(self, folder: Path, seed: int, count: int) -> list[Path]:
        """Write `count` files of a made-up planet's t2m and z500, six time steps each."""
        return sample.write(folder, seed, count)

    def picture(self, original: Path, decoded: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """The first level and part of the first variable of both files, north up."""
        names = None if self.variables is None else self.variables[:1]
        first, second = (quality.picture(path, names) for path in (original, decoded))
        return first, second

    def _pinned(self) -> tuple[list[str], list[list[float]]]:
        if self.variables is None or self.ranges is None:
            raise SignalError(
                "era5: nobody has said yet which variables and ranges there are; train a model, "
                "or use ERA5().resolve(training files)"
            )
        return self.variables, self.ranges

    def _channels(
        self, read: list[Layer], path: Path
    ) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
        return channels(read, self.levels or [], self.units or [], path)

    def _given(self, header: Header, name: str) -> list[int]:
        """For every level of the file, its number among the model's."""
        assert self.variables is not None and self.levels is not None
        own = self.levels[self.variables.index(name)]
        return order(own, header.heights(name), f"era5: the header's {name}")
