"""What a model's channels are, as found in its training files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from inrc.errors import SignalError
from inrc_modalities.era5.channels import Channel, Ranges, channels, converted, label, order
from inrc_modalities.era5.header import Header
from inrc_modalities.era5.reading import Layer, Options, layers


def check(
    variables: list[str] | None,
    levels: list[list[float]] | None,
    units: list[str] | None,
    ranges: list[list[float]] | None,
) -> int:
    """The number of channels that these settings have.

    Raises:
        SignalError: they contradict each other.
    """
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
            "era5: ranges need variables, levels and units beside them, and a low and a higher end "
            "for every channel"
        )
    return width


@dataclass(frozen=True)
class Pinned:
    """The variables of a model, each with its levels and unit, and the range of each channel."""

    variables: list[str]
    levels: list[list[float]]
    units: list[str]
    ranges: list[list[float]]

    @classmethod
    def of(
        cls,
        paths: Sequence[Path],
        variables: list[str] | None,
        levels: list[list[float]] | None,
        units: list[str] | None,
        options: Options,
    ) -> "Pinned":
        """Find in files what is not given; reads all of them.

        Raises:
            SignalError: a file that cannot be read, or differs from the first in its levels or in
                what its units measure, or a channel without any known value.
        """
        if not paths:
            raise SignalError("era5: no files to find the ranges of variables in")
        names, heights, measures = variables, levels or [], units or []
        ranges: Ranges | None = None
        for path in paths:
            read = layers(path, names, options)
            if ranges is None:
                fields = [each.field for each in read]
                names = [options.model_name(field.name) for field in fields]
                heights = [list(field.levels) for field in fields]
                measures = [field.unit for field in fields]
                ranges = Ranges(sum(max(1, len(each)) for each in heights))
            ranges.add(channels(read, names or [], heights, measures, path))
        assert names is not None and ranges is not None
        for number in ranges.unknown():
            raise SignalError(
                f"{paths[0]}: {label(number, names, heights)} has no known value, here or in any "
                "other training file; leave it out of the variables"
            )
        return cls(names, heights, measures, ranges.pairs())

    def check_names(self, names: Mapping[str, str]) -> None:
        """Refuse names of files that stand for variables that the model does not have.

        Raises:
            SignalError: a name that the model does not have.
        """
        for name, target in names.items():
            if target not in self.variables:
                known = ", ".join(self.variables)
                raise SignalError(f"era5: cannot rename {name} to {target}; the model has {known}")

    def channels(self, read: list[Layer], path: Path) -> list[Channel]:
        """The channels of a file in the model's order and units.

        Raises:
            SignalError: other levels, or units that cannot be converted.
        """
        return channels(read, self.variables, self.levels, self.units, path)

    def scaled(self, read: list[Layer], path: Path) -> NDArray[np.float64]:
        """Channels C P H W in the model's ranges, NaN where they are missing.

        Raises:
            SignalError: other levels, or units that cannot be converted.
        """
        return np.stack(
            [
                np.where(unknown, np.nan, (values - low) / (high - low))
                for (values, unknown), (low, high) in zip(
                    self.channels(read, path), self.ranges, strict=True
                )
            ]
        )

    def physical(
        self, header: Header, features: Float[Tensor, "P M C"]
    ) -> dict[str, NDArray[np.float64]]:
        """The values P L M of every variable, by its name and in its unit in the file.

        Raises:
            SignalError: features that do not fit the file's header, or are not finite.
        """
        size = (header.parts, len(header.lat) * len(header.lon), len(self.ranges))
        if features.numel() != prod(size):
            raise SignalError(f"era5: {tuple(features.shape)} features, not {size}")
        scaled = features.detach().cpu().double().reshape(size).numpy()
        if not np.isfinite(scaled).all():
            raise SignalError("era5: decoded values that are not finite; the model is broken")
        ends = np.asarray(self.ranges)
        values = ends[:, 0] + scaled * (ends[:, 1] - ends[:, 0])
        counts = [max(1, len(each)) for each in self.levels]
        split = np.split(values, np.cumsum(counts)[:-1], 2)
        fields = {}
        for name, levels, unit, own in zip(
            self.variables, self.levels, self.units, split, strict=True
        ):
            called = header.called(name)
            where = f"era5: the header's {called}"
            given = order(levels, header.heights(called), where)
            if header.levels(called) != len(given):
                raise SignalError(f"{where} has {header.levels(called)} levels, not {len(given)}")
            target, difference = header.unit(called)
            factor, offset = converted(unit, target, difference, f"era5: the model's {name}", where)
            own = own.transpose(0, 2, 1)[:, given]
            fields[called] = own if (factor, offset) == (1.0, 0.0) else factor * own + offset
        return fields
