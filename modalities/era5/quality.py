"""How good a decoded NetCDF file is beside its original."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc import metrics
from inrc.errors import SignalError
from inrc_modalities.era5 import reading, storage
from inrc_modalities.era5.reading import Layer, Options
from inrc_modalities.era5.survey import survey

PIECE = 1 << 20
"""Values of a variable that are compared at once; both files are in memory already."""


def measure(
    scale: Callable[[list[Layer], Path], NDArray[np.float64]],
    first: list[Layer],
    second: list[Layer],
    original: Path,
    decoded: Path,
) -> dict[str, float]:
    """Compare the variables of two files over all their parts, levels and grid points.

    Returns for each variable `rmse_NAME` and `max_error_NAME` in its own units and `psnr_NAME`,
    and `psnr`, the mean over variables. PSNR is in dB, of channels scaled to [0, 1] by `scale`
    and with a peak of 1, as the papers report it; no grid point counts more than another.

    Raises:
        SignalError: other grids, parts or levels.
    """
    for one, two in zip(first, second, strict=True):
        if one.values.shape != two.values.shape:
            raise SignalError(
                f"{decoded}: {one.field.name} has parts, levels and grid {two.values.shape}, but "
                f"{original} has {one.values.shape}"
            )
    native = [_Error() for _ in first]
    scaled = [_Error() for _ in first]
    for some, others in _pieces(first, second):
        channels = scale(some, original), scale(others, decoded)
        at = 0
        for number, (one, two) in enumerate(zip(some, others, strict=True)):
            own = slice(at, at + one.values.shape[1])
            at = own.stop
            native[number].add(one.known, two.known)
            scaled[number].add(channels[0][own], channels[1][own])
    measures: dict[str, float] = {}
    for layer, error, relative in zip(first, native, scaled, strict=True):
        name = layer.field.name
        measures[f"rmse_{name}"] = math.sqrt(error.mse)
        measures[f"max_error_{name}"] = error.largest
        measures[f"psnr_{name}"] = -10.0 * math.log10(relative.mse) if relative.mse else math.inf
    psnr = [value for key, value in measures.items() if key.startswith("psnr_")]
    # a lost mask is infinitely bad, whatever the others are
    measures["psnr"] = -np.inf if -np.inf in psnr else float(np.mean(psnr))
    return measures


@dataclass
class _Error:
    """Errors summed over pieces; infinite if a value is known in one of the files only."""

    squares: float = 0.0
    count: int = 0
    largest: float = 0.0

    def add(self, original: NDArray[np.float64], decoded: NDArray[np.float64]) -> None:
        known = int(np.isfinite(original).sum())
        error = metrics.mse(original, decoded)
        self.squares += error * known if math.isfinite(error) else error
        self.count += known
        self.largest = max(self.largest, metrics.max_error(original, decoded))

    @property
    def mse(self) -> float:
        return self.squares / max(self.count, 1)


def _pieces(first: list[Layer], second: list[Layer]) -> Iterator[tuple[list[Layer], list[Layer]]]:
    """The same parts of all variables of both files, some at a time."""
    parts, each = first[0].values.shape[0], first[0].values[0].size
    step = max(1, PIECE // each)
    for start in range(0, parts, step):
        own = slice(start, start + step)
        one, two = (
            [
                replace(layer, values=layer.values[own], unknown=layer.unknown[own])
                for layer in layers
            ]
            for layers in (first, second)
        )
        yield one, two


def pictures(
    original: Path, decoded: Path, names: list[str] | None, options: Options
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two maps, `image` (H W, north up, east to the right, NaN where missing) in `unit`."""
    apart = replace(options, vertical=True)
    return _picture(original, names, apart), _picture(decoded, names, apart)


def _picture(path: Path, names: list[str] | None, options: Options) -> dict[str, Any]:
    layer = reading.layers(path, names, options)[0]
    with storage.opened(path, groups=True) as dataset:
        grid = survey(dataset, path)
        lat, lon = (storage.raw(dataset[name]) for name in (grid.lat, grid.lon))
    image: NDArray[np.float64] = layer.known[0, 0]
    image = image[::-1] if lat[0] < lat[-1] else image
    return {"image": image if lon[0] < lon[-1] else image[:, ::-1], "unit": layer.field.unit}
