"""Ordinary codecs for float fields, each set so that it is as good as what it stands beside."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError

Slice = NDArray[np.float32]


class Codec(Protocol):
    """A lossy codec of 2-D float slices with one setting: the error aimed at, in their units."""

    name: str

    def encode(self, field: Slice, error: float) -> bytes:
        """Everything a decoder needs beyond shape and type."""

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Slice:
        """The slice of `encode`."""


class Jpeg2000:
    """16-bit integers between a slice's own ends, which take 8 bytes; a bare code stream.

    The quality of every slice is chosen for the same error in the field's units, which spends a
    given number of bytes best.
    """

    name = "jpeg2000"

    def encode(self, field: Slice, error: float) -> bytes:
        """Ends and code stream; ends alone for a constant slice."""
        low, high = np.float32(field.min()), np.float32(field.max())
        ends = np.array([low, high], "<f4").tobytes()
        if low == high:
            return ends
        width = float(high) - float(low)
        integers = np.rint((field.astype(np.float64) - low) / width * 65535).astype(np.uint16)
        quality = 20 * np.log10(width / error)  # dB
        # up to 1 dB OpenJPEG takes no quality, at 1000 it is lossless
        quality = float(np.clip(quality, 1.0, 999.0))
        return ends + bytes(
            imagecodecs.jpeg2k_encode(integers, quality, codecformat="j2k", reversible=False)
        )

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Slice:
        """The slice, back between its ends."""
        low, high = np.frombuffer(data[:8], "<f4").astype(np.float64)
        if low == high:
            return np.full(shape, low, np.float32)
        integers = imagecodecs.jpeg2k_decode(data[8:]).astype(np.float64)
        return (low + integers / 65535 * (high - low)).astype(np.float32)


class Zfp:
    """Fixed accuracy, with zfp's own 8-byte header. It rounds the tolerance to a power of two."""

    name = "zfp"

    def encode(self, field: Slice, error: float) -> bytes:
        """One zfp stream with its header."""
        mode = imagecodecs.ZFP.MODE.FIXED_ACCURACY
        return bytes(imagecodecs.zfp_encode(np.ascontiguousarray(field), error, mode=mode))

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Slice:
        """The slice; its shape stands in the header."""
        return np.asarray(imagecodecs.zfp_decode(data), np.float32).reshape(shape)


class Sz3:
    """Absolute error bound."""

    name = "sz3"

    def encode(self, field: Slice, error: float) -> bytes:
        """One SZ3 stream."""
        mode = imagecodecs.SZ3.MODE.ABS
        return bytes(imagecodecs.sz3_encode(np.ascontiguousarray(field), mode=mode, abs=error))

    def decode(self, data: bytes, shape: tuple[int, ...]) -> Slice:
        """The slice of a shape that the stream does not hold."""
        return np.asarray(imagecodecs.sz3_decode(data, shape, np.float32))


CODECS: tuple[Codec, ...] = (Jpeg2000(), Zfp(), Sz3())


@dataclass(frozen=True)
class Point:
    """Bytes of all slices together, and the root mean squared error pooled over them."""

    setting: float
    bytes: int
    rmse: float


@dataclass(frozen=True)
class Match:
    """What a codec needs for a target error.

    `bytes` is exact if `better` and `worse`, the two nearest settings, nearly coincide; for a
    codec whose error comes in steps it lies between them, linearly in log(bytes), log(error).
    """

    codec: str
    target: float
    bytes: float
    bits_per_value: float
    better: Point
    worse: Point


def measure(codec: Codec, slices: Sequence[Slice], setting: float) -> Point:
    """Encode and decode every slice on its own."""
    size, squares, count = 0, 0.0, 0
    for field in slices:
        data = codec.encode(field, setting)
        error = codec.decode(data, field.shape).astype(np.float64) - field
        size += len(data)
        squares += float(np.sum(error**2))
        count += field.size
    return Point(setting, size, float(np.sqrt(squares / count)))


def match(codec: Codec, slices: Sequence[Slice], target: float, close: float = 1e-3) -> Match:
    """Search the setting whose pooled error is the target, by bisection of its logarithm.

    Args:
        codec: the codec.
        slices: 2-D fields, all of one variable.
        target: pooled root mean squared error, in the units of the slices.
        close: relative distance of the two settings at which the search ends.

    Raises:
        SignalError: no setting gives an error on either side of the target.
    """
    if not slices or target <= 0:
        raise SignalError(f"{codec.name}: give fields and a positive target, not {target}")
    # An error bound is some times the error it causes, never less than it
    better = _bracket(lambda error: measure(codec, slices, error), target, target, 0.5)
    worse = _bracket(lambda error: measure(codec, slices, error), target, target, 2.0)
    while worse.setting / better.setting > 1 + close:
        point = measure(codec, slices, float(np.sqrt(better.setting * worse.setting)))
        if point.rmse <= target:
            better = point
        else:
            worse = point
    size = between([better.rmse, worse.rmse], [better.bytes, worse.bytes], target)
    count = sum(field.size for field in slices)
    return Match(codec.name, target, size, 8 * size / count, better, worse)


def between(errors: Sequence[float], sizes: Sequence[float], target: float) -> float:
    """Size at a target error, linear in both logarithms between the points; NaN outside them."""
    order = np.argsort(errors)
    x, y = np.log(np.asarray(errors)[order]), np.log(np.asarray(sizes, np.float64)[order])
    return float(np.exp(np.interp(np.log(target), x, y, left=np.nan, right=np.nan)))


def save(results: object, path: Path) -> None:
    """Write results as JSON; NaN becomes null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_plain(results), indent=1) + "\n")


def as_rows(matches: Sequence[Match]) -> list[dict[str, object]]:
    """Matches as plain dictionaries."""
    return [asdict(each) for each in matches]


def _bracket(
    at: Callable[[float], Point], target: float, start: float, factor: float, tries: int = 40
) -> Point:
    """The first setting, each `factor` times the last, that lies on its side of the target."""
    for step in range(tries):
        point = at(start * factor**step)
        if (point.rmse <= target) if factor < 1 else (point.rmse > target):
            return point
    side = "small" if factor < 1 else "large"
    raise SignalError(f"no setting gives an error as {side} as {target:g}; choose another target")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
