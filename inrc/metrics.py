"""Measures of quality on arrays, and their means over files."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray


def mse(original: NDArray[np.generic], decoded: NDArray[np.generic]) -> float:
    """Mean squared error over the finite values of the original, in float64.

    A value that is finite in only one of the two counts as an infinite error.
    """
    a = np.asarray(original, np.float64)
    b = np.asarray(decoded, np.float64)
    known = np.isfinite(a)
    if a.shape != b.shape or not np.array_equal(known, np.isfinite(b)):
        return math.inf
    return float(np.mean((a[known] - b[known]) ** 2)) if known.any() else 0.0


def psnr(original: NDArray[np.generic], decoded: NDArray[np.generic], peak: float) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(peak² / MSE).

    +inf if nothing differs; -inf if the error is infinite, see `mse`.
    """
    error = mse(original, decoded)
    if error in (0.0, math.inf):
        return math.inf if error == 0.0 else -math.inf
    return 10.0 * math.log10(peak * peak / error)


def rmse(original: NDArray[np.generic], decoded: NDArray[np.generic]) -> float:
    """Root mean squared error in the units of the data."""
    return math.sqrt(mse(original, decoded))


def max_error(original: NDArray[np.generic], decoded: NDArray[np.generic]) -> float:
    """Largest absolute error in the units of the data, over the finite values of the original."""
    a = np.asarray(original, np.float64)
    b = np.asarray(decoded, np.float64)
    known = np.isfinite(a)
    if a.shape != b.shape or not np.array_equal(known, np.isfinite(b)):
        return math.inf
    return float(np.max(np.abs(a[known] - b[known]), initial=0.0))


def mean(values: Iterable[float]) -> float:
    """Arithmetic mean; NaN, undefined, for both +inf and -inf or for any NaN among the values."""
    numbers = list(values)
    if math.inf in numbers and -math.inf in numbers:
        return math.nan
    return fmean(numbers)


def mean_measures(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The `mean` of every measure that all rows have, in the order of the first row."""
    return {
        name: mean(row[name] for row in rows)
        for name in rows[0]
        if all(name in row for row in rows)
    }
