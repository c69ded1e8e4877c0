"""Times of frames, at even and uneven intervals, as views ask for them."""

import math
from bisect import bisect_left
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from inrc.errors import SignalError
from inrc.grid import Axis
from inrc_modalities.video.clip import WORD, fraction, pair

FINEST = 1000
"""A scale is a fraction with at most this denominator, so that frame rates stay short numbers."""
LARGEST = 64
"""No more frames, and pixels along y and x, than this for every one."""


def scaled(meta: Mapping[str, Any], scale: float) -> Fraction:
    """A scale as an exact fraction.

    Raises:
        SignalError: it is not a number above 0 and within reason, or frames have no rate.
    """
    if not (math.isfinite(scale) and 0 < scale <= LARGEST):
        raise SignalError(f"scale {scale}: give a number above 0, at most {LARGEST}")
    check_even(meta)
    return max(Fraction(scale).limit_denominator(FINEST), Fraction(1, FINEST))


def check_even(meta: Mapping[str, Any]) -> None:
    """Refuse to make a clip of uneven times faster or slower.

    Raises:
        SignalError: its frames have no rate.
    """
    if meta["ticks"] is not None:
        raise SignalError("frames at uneven times: their rate cannot be changed; ask for a region")


def frames(
    meta: Mapping[str, Any], seconds: tuple[Fraction, Fraction]
) -> tuple[Fraction, Fraction]:
    """An interval of time in frames of the original, as fractions.

    At uneven times, frames belong to the interval if they begin in it.
    """
    low, high = seconds
    if meta["ticks"] is None:
        rate = fraction(meta["rate"])
        return low * rate, high * rate
    begins = [tick * fraction(meta["base"]) for tick in meta["ticks"]]
    return Fraction(bisect_left(begins, low)), Fraction(bisect_left(begins, high))


def seen(meta: Mapping[str, Any], t: Axis) -> dict[str, Any]:
    """What the meta of a view says of its times: it begins at 0.

    Raises:
        SignalError: a rate that no file can hold.
    """
    ticks = meta["ticks"]
    if ticks is not None:
        part = ticks[t.first : t.last]
        return {"ticks": [tick - part[0] for tick in part]}
    if t.step == 1:
        return {}
    rate = fraction(meta["rate"]) / t.step
    if max(rate.numerator, rate.denominator) >= WORD:
        raise SignalError(f"a rate of {rate} frames a second cannot be written")
    return {"rate": pair(rate), "base": pair(1 / rate)}
