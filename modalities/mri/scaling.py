"""Stored numbers to features in [0, 1] and back, between two percentiles of the file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError

_EXACT = 1 << 53  # beyond it, a float64 does not hold every whole number
_PIECE = 1 << 21


def ends(stored: NDArray[Any], percentile: float, path: Path) -> tuple[float, float]:
    """The stored values that become 0 and 1: two of the file's own.

    At least `percentile` % of the known values are not above the second, and as many not below the
    first. Both are values of the file and not means of two, so that a file clipped to them has the
    same ends.

    Raises:
        SignalError: no finite value, or numbers that are too large to compute with.
    """
    values = stored.reshape(-1, order="F")
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
        if not len(values):
            raise SignalError(f"{path}: only NaN and infinite values; a volume needs a finite one")
    else:
        values = values.astype(values.dtype.newbyteorder("="))
    last = len(values) - 1
    top = max(int(np.ceil(percentile / 100 * len(values))) - 1, last - last // 2)
    ordered = np.partition(values, (last - top, top))
    low, high = ordered[last - top].item(), ordered[top].item()
    big = max(abs(low), abs(high))
    if values.dtype.kind in "iu" and big > _EXACT:
        raise SignalError(f"{path}: integers beyond 2^53; save the volume as float first")
    if not np.isfinite(float(high) - float(low)):
        raise SignalError(f"{path}: values up to {big:g}; scale them down first")
    return low, high


def scale(stored: NDArray[Any], low: float, high: float, out: NDArray[np.float32]) -> None:
    """Write features to `out`: 0 at and below `low`, 1 at and above `high`, 0 where unknown."""
    width = (float(high) - float(low)) or 1.0
    planes = max(1, _PIECE // max(stored[0].size, 1))
    for at in range(0, len(stored), planes):
        piece = (stored[at : at + planes].astype(np.float64) - low) / width
        out[at : at + planes] = np.clip(np.nan_to_num(piece, nan=0.0), 0.0, 1.0)


def restore(features: NDArray[np.float32], low: float, high: float, out: NDArray[Any]) -> None:
    """Write the stored values of features to `out`; whole numbers are rounded to the nearest."""
    whole = out.dtype.kind in "iu"
    planes = max(1, _PIECE // max(features[0].size, 1))
    for at in range(0, len(features), planes):
        share = np.clip(features[at : at + planes].astype(np.float64), 0.0, 1.0)
        # both ends come back exactly
        piece = np.clip(low * (1.0 - share) + high * share, low, high)
        out[at : at + planes] = np.floor(piece + 0.5) if whole else piece
