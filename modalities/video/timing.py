"""Times of frames in files and in views, at even and uneven intervals."""

import itertools
from bisect import bisect_left
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from av.video.stream import VideoStream

from inrc.errors import SignalError
from inrc.grid import Axis
from inrc_modalities.video.clip import MAX_TERM, fraction, pair

MAX_DENOMINATOR = 1000
"""Largest denominator of a scale, so that frame rates remain short fractions."""
MAX_SCALE = 64
"""Largest scale."""

_MILLISECOND = Fraction(1, 1000)  # in which Matroska counts


def scaled(meta: Mapping[str, Any], scale: float) -> Fraction:
    """A scale as an exact fraction.

    Raises:
        SignalError: a scale out of range, or frames without a constant rate.
    """
    if scale > MAX_SCALE:
        raise SignalError(f"scale {scale}: give at most {MAX_SCALE}")
    check_even(meta)
    return max(Fraction(scale).limit_denominator(MAX_DENOMINATOR), Fraction(1, MAX_DENOMINATOR))


def check_even(meta: Mapping[str, Any]) -> None:
    """Check that the rate of a clip can be changed.

    Raises:
        SignalError: its frames have no constant rate.
    """
    if meta["ticks"] is not None:
        raise SignalError("frames at uneven times: their rate cannot be changed; ask for a region")


def frames(
    meta: Mapping[str, Any], seconds: tuple[Fraction, Fraction]
) -> tuple[Fraction, Fraction]:
    """An interval of time in frames of the original, as fractions.

    At uneven times, a frame belongs to the interval if it begins in it.
    """
    low, high = seconds
    if meta["ticks"] is None:
        rate = fraction(meta["rate"])
        return low * rate, high * rate
    begins = [tick * fraction(meta["base"]) for tick in meta["ticks"]]
    return Fraction(bisect_left(begins, low)), Fraction(bisect_left(begins, high))


def seen(meta: Mapping[str, Any], t: Axis) -> dict[str, Any]:
    """Entries of the meta of a view about its times, which begin at 0.

    Raises:
        SignalError: a rate that files cannot hold.
    """
    ticks = meta["ticks"]
    if ticks is not None:
        part = ticks[t.first : t.last]
        return {"ticks": [tick - part[0] for tick in part]}
    if t.step == 1:
        return {}
    rate = fraction(meta["rate"]) / t.step
    if max(rate.numerator, rate.denominator) >= MAX_TERM:
        raise SignalError(
            f"scale: a rate of {rate} frames a second cannot be written; choose another"
        )
    return {"rate": pair(rate), "base": pair(1 / rate)}


def even_or_ticks(
    stream: VideoStream, times: list[int | None]
) -> tuple[Fraction, Fraction, list[int] | None]:
    """Frame rate and time base, and the times of frames that have no constant rate."""
    base = Fraction(stream.time_base or Fraction(1, 1000))
    rates = [
        Fraction(rate).limit_denominator(MAX_TERM - 1)
        for rate in (stream.guessed_rate, stream.average_rate, stream.base_rate)
        if rate is not None and 0 < rate < MAX_TERM
    ]
    known = [time for time in times if time is not None]
    if len(known) < len(times):  # bare streams have a rate only
        return (rates or [Fraction(25)])[0], base, None
    ticks = [time - known[0] for time in known]
    for rate in rates:
        # a container rounds to its time base, up or down
        if all(abs(tick * base - k / rate) <= base for k, tick in enumerate(ticks)):
            return rate, base, None
    steps = [(b - a) * base for a, b in itertools.pairwise(ticks)]
    if any(step <= 0 for step in steps):
        raise SignalError("its frames are not in the order of their times; remux it first")
    if any(step < _MILLISECOND for step in steps):
        raise SignalError(
            "frames at uneven times less than a millisecond apart, which Matroska cannot hold; "
            "convert it to a constant rate first (ffmpeg -fps_mode cfr)"
        )
    mean = (len(ticks) - 1) / (ticks[-1] * base) if len(ticks) > 1 else Fraction(25)
    return mean.limit_denominator(1000), base, ticks
