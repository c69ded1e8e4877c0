"""The channels of a model: which variable on which level, in which range."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.era5 import masks
from inrc_modalities.era5.reading import Layer
from inrc_modalities.era5.units import conversion

Channel = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Values in the model's unit, and where they are missing; P H W each."""


def channels(
    read: Sequence[Layer],
    names: Sequence[str],
    levels: list[list[float]],
    units: list[str],
    path: Path,
) -> list[Channel]:
    """The channels of the model, in its order.

    Args:
        read: one variable of the file for each of the model.
        names: what the model calls them.
        levels: for each variable, the model's levels.
        units: for each variable, the model's unit.
        path: of the file, for messages.

    Raises:
        SignalError: other levels, or a unit that cannot be converted into the model's.
    """
    made = []
    for layer, name, wanted, unit in zip(read, names, levels, units, strict=True):
        field = layer.field
        factor, offset = converted(
            field.unit, unit, field.difference, f"{path}: {field.name}", f"the model's {name}"
        )
        for number in order(field.levels, wanted, f"{path}: {field.name}"):
            values = layer.values[:, number]
            if (factor, offset) != (1.0, 0.0):
                values = factor * values + offset
            made.append((values, layer.unknown[:, number]))
    return made


def converted(
    source: str, target: str, difference: bool, where: str, there: str
) -> tuple[float, float]:
    """The factor and the offset that convert one unit into another.

    Raises:
        SignalError: they cannot be converted.
    """
    pair = conversion(source, target, difference)
    if pair is None:
        raise SignalError(
            f"{where} is in {source or 'no units'}, which cannot be converted to "
            f"{target or 'no units'} of {there}; correct its units attribute, or convert it"
        )
    return pair


def order(given: Sequence[float], wanted: Sequence[float], where: str) -> list[int]:
    """For each wanted level, its number among the given ones; [0] without levels.

    Raises:
        SignalError: they are not the same levels.
    """
    if not given and not wanted:
        return [0]
    # float32 and float64 files name the same levels
    near = np.isclose(np.asarray(wanted)[:, None], np.asarray(given)[None], rtol=1e-5)
    if near.shape[0] != near.shape[1] or not (near.sum(0) == 1).all():
        lists = [", ".join(f"{each:g}" for each in some) or "none" for some in (given, wanted)]
        raise SignalError(
            f"{where} has levels {lists[0]:.80}, but {lists[1]:.80} belong there; select the "
            "model's levels, or train a model of these"
        )
    return [int(row.argmax()) for row in near]


def label(channel: int, variables: list[str], levels: list[list[float]]) -> str:
    """What a channel is, for messages: t 850."""
    labels: list[str] = []
    for name, heights in zip(variables, levels, strict=True):
        labels += [f"{name} {height:g}" for height in heights] or [name]
    return labels[channel]


class Ranges:
    """The least and the largest value of every channel, over as many files as are added."""

    def __init__(self, count: int) -> None:
        self.low = np.full(count, np.inf)
        self.high = np.full(count, -np.inf)

    def add(self, channels: Sequence[Channel]) -> None:
        """Take the channels of one more file into account."""
        for number, (values, unknown) in enumerate(channels):
            low = np.min(values, where=~unknown, initial=np.inf)
            high = np.max(values, where=~unknown, initial=-np.inf)
            self.low[number] = min(self.low[number], low)
            self.high[number] = max(self.high[number], high)

    def unknown(self) -> list[int]:
        """Channels without any known value."""
        return [int(number) for number in np.flatnonzero(~np.isfinite(self.low))]

    def pairs(self) -> list[list[float]]:
        """What becomes 0 and 1; a constant has a width all the same."""
        wide = np.where(
            self.high > self.low, self.high, self.low + np.maximum(1.0, np.abs(self.low))
        )
        return [[float(low), float(high)] for low, high in zip(self.low, wide, strict=True)]


def scale(
    channels: Sequence[Channel], ranges: list[list[float]], wraps: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Features P M C in [0, 1], holes filled, and where all channels are missing P M."""
    parts, height, width = channels[0][0].shape
    features = np.empty((parts, height * width, len(channels)), np.float32)
    unknown = np.ones((parts, height * width), bool)
    for number, ((values, mask), (low, high)) in enumerate(zip(channels, ranges, strict=True)):
        filled = masks.fill(values, mask, wraps, (low + high) / 2)
        features[..., number] = ((filled - low) / (high - low)).reshape(parts, -1)
        unknown &= mask.reshape(parts, -1)
    return features, unknown
