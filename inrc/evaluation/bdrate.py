"""Bjontegaard's deltas: how much rate, or quality, lies between two curves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from inrc.errors import SignalError

MIN_OVERLAP = 0.1
"""Minimum range that both curves share, relative to the smaller of their ranges."""

Curve = tuple[Sequence[float], Sequence[float]]
"""Rates, and the quality at each of them; in any order."""


@dataclass(frozen=True)
class Delta:
    """A mean difference of two curves.

    `value` is in per cent for rates (negative: fewer bits than the anchor) and in the unit of the
    measure for quality. `low` to `high` is the range that both curves share, `overlap` its share of
    the range of both together.
    """

    value: float
    low: float
    high: float
    overlap: float


def bd_rate(anchor: Curve, test: Curve) -> Delta:
    """Mean difference in rate at equal quality, in per cent of the anchor's.

    G. Bjontegaard, VCEG-M33 (2001), with log rates interpolated by piecewise cubic Hermite
    polynomials (JCTVC-F270), which do not overshoot, instead of one cubic.

    Raises SignalError for curves that do not overlap in quality, or have fewer than two finite
    points at which rate and quality both rise.
    """
    a, b = _rising(anchor, "anchor"), _rising(test, "curve")
    low, high, overlap = _common(a[1], b[1], "quality")
    mean = _mean((b[1], np.log(b[0])), low, high) - _mean((a[1], np.log(a[0])), low, high)
    return Delta(float(np.expm1(mean) * 100.0), low, high, overlap)


def bd_psnr(anchor: Curve, test: Curve) -> Delta:
    """Mean difference in quality at equal log rate, in the unit of the quality.

    Raises SignalError as `bd_rate`, for curves that do not overlap in rate.
    """
    a, b = _rising(anchor, "anchor"), _rising(test, "curve")
    low, high, overlap = _common(np.log(a[0]), np.log(b[0]), "log rate")
    mean = _mean((np.log(b[0]), b[1]), low, high) - _mean((np.log(a[0]), a[1]), low, high)
    return Delta(float(mean), float(np.exp(low)), float(np.exp(high)), overlap)


def interval(values: Sequence[float], seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean over files (percentiles of resampled means)."""
    random = np.random.default_rng(seed)
    data = np.asarray(values, np.float64)
    means = data[random.integers(0, len(data), (draws, len(data)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _rising(curve: Curve, what: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The finite points that no other point beats, in order: rate and quality both rise."""
    rates, quality = (np.asarray(each, np.float64) for each in curve)
    known = np.isfinite(rates) & np.isfinite(quality) & (rates > 0)
    order = np.lexsort((-quality[known], rates[known]))
    kept: list[tuple[float, float]] = []
    for rate, value in zip(rates[known][order], quality[known][order], strict=True):
        if not kept or value > kept[-1][1]:
            kept.append((float(rate), float(value)))
    if len(kept) < 2:
        raise SignalError(
            f"{what}: {len(kept)} usable points; use 2 or more finite ones that rise in quality"
        )
    points = np.array(kept)
    return points[:, 0], points[:, 1]


def _common(
    a: NDArray[np.float64], b: NDArray[np.float64], what: str
) -> tuple[float, float, float]:
    low, high = float(max(a.min(), b.min())), float(min(a.max(), b.max()))
    both = float(max(a.max(), b.max()) - min(a.min(), b.min()))
    smaller = float(min(np.ptp(a), np.ptp(b)))
    if high - low < MIN_OVERLAP * smaller:
        raise SignalError(
            f"the curves do not overlap in {what}: {a.min():.4g} to {a.max():.4g} and "
            f"{b.min():.4g} to {b.max():.4g}"
        )
    return low, high, (high - low) / both


def _mean(curve: tuple[NDArray[np.float64], NDArray[np.float64]], low: float, high: float) -> float:
    """Mean of an interpolated curve between two abscissae."""
    x, y = curve
    return float(PchipInterpolator(x, y).integrate(low, high)) / (high - low)
