"""Values so far from all others that no field could be learned with them."""

import numpy as np
from numpy.typing import NDArray

_FACTOR = 2.0**20
"""How many times wider than nearly all values a range may be: float32 has 24 bits, so with an
outlier beyond it fewer than 16 numbers remain to tell all other values apart."""
_SAMPLE = 1_000_000  # values that are enough for percentiles


def find(
    values: NDArray[np.float64], unknown: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_] | None, tuple[float, float]]:
    """Find infinite values, and finite ones beyond all bounds of the others.

    A finite value is an outlier if its distance from the median is more than 2^20 times the larger
    of the median, the range from the 1st to the 99th percentile, and 1. Undeclared fill
    values (1e20, or 9.99e8 among kelvins) are outliers; the heaviest rain of a desert is not.

    Args:
        values: values of a variable; any shape.
        unknown: where they are missing; of the same shape.

    Returns:
        Where the outliers are, or None without any; and the 1st and the 99th percentile.
    """
    with np.errstate(invalid="ignore"):
        suspects = ~((values <= _FACTOR) & (values >= -_FACTOR)) & ~unknown  # NaN is one
    if not suspects.any():
        return None, (0.0, 0.0)
    finite = values[~unknown & np.isfinite(values)]
    if not finite.size:
        return suspects, (0.0, 0.0)
    some = finite[:: max(1, finite.size // _SAMPLE)]
    low, middle, high = (float(each) for each in np.percentile(some, (1, 50, 99)))
    bound = _FACTOR * max(high - low, abs(middle), 1.0)
    outliers = suspects & ~(np.abs(values - middle) <= bound)
    return (outliers if outliers.any() else None), (low, high)
