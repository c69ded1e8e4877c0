"""Measures of quality on arrays; every convention is stated where it is computed."""

import math

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
    """Peak signal-to-noise ratio in dB, 10 log10(peak² / MSE); infinite where nothing differs."""
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
