"""How good a decoded NetCDF file is beside its original."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc import metrics
from inrc.errors import SignalError
from inrc_modalities.era5 import reading, storage
from inrc_modalities.era5.reading import Layer, Options
from inrc_modalities.era5.survey import survey


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
    measures: dict[str, float] = {}
    scaled = [scale(read, path) for read, path in ((first, original), (second, decoded))]
    at = 0
    for one, two in zip(first, second, strict=True):
        name = one.field.name
        if one.values.shape != two.values.shape:
            raise SignalError(
                f"{decoded}: {name} has parts, levels and grid {two.values.shape}, but {original} "
                f"has {one.values.shape}"
            )
        channels = slice(at, at + one.values.shape[1])
        at = channels.stop
        measures[f"rmse_{name}"] = metrics.rmse(one.known, two.known)
        if not np.array_equal(one.unknown, two.unknown):
            measures |= {f"max_error_{name}": np.inf, f"psnr_{name}": -np.inf}
            continue
        measures[f"max_error_{name}"] = metrics.max_error(one.known, two.known)
        measures[f"psnr_{name}"] = metrics.psnr(scaled[0][channels], scaled[1][channels], 1.0)
    psnr = [value for key, value in measures.items() if key.startswith("psnr_")]
    # a lost mask is infinitely bad, whatever the others are
    measures["psnr"] = -np.inf if -np.inf in psnr else float(np.mean(psnr))
    return measures


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
