"""Patches that another sampling rate or a part of a sound needs, and how they are joined.

The field is evaluated where it was trained, and samples in between come from band-limited
interpolation across patches: sampled sound has no content above half its rate, but a field that is
evaluated between samples has, above all where patches meet. Sample i of a sound at rate r is the
cell from i / r to (i + 1) / r seconds, with its value in the middle, for any r.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from inrc import grid
from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.audio.formats import MAX_RATE
from inrc_modalities.audio.reading import read_header

REACH = 5.0
"""Local coordinates of a patch go from -5 to 5, as in COIN++ (arXiv:2201.12904, appendix)."""
CROSSINGS = 32
"""Zero crossings of the interpolating sinc on either side."""
ROLLOFF = 0.95
"""Where the low-pass begins, as a share of half the lower rate."""
_CHUNK = 1 << 14  # samples interpolated at once
_PHASES = 1 << 12  # largest number of positions whose weights are tabulated


def local(patch: int) -> Float[Tensor, "1 M 1"]:
    """Queries of the samples of one patch."""
    return grid.coordinates((patch,), -REACH, REACH)[None]


@dataclass(frozen=True)
class Excerpt:
    """Samples `first` to `last` (half-open) of `frames` at `rate`, resampled to `target`.

    `patch` is in samples of the original.
    """

    frames: int
    rate: int
    patch: int
    target: int
    first: int
    last: int

    @property
    def patches(self) -> range:
        """Patches that are decoded: those of the excerpt and of its interpolation."""
        margin = 0 if self.rate == self.target else math.ceil(_half(self.rate, self.target)) + 1
        begin = self.first * self.rate // self.target - margin
        end = -(-self.last * self.rate // self.target) + margin
        last = -(-self.frames // self.patch)
        return range(min(max(begin // self.patch, 0), last - 1), min(-(-end // self.patch), last))

    def join(self, features: Float[Tensor, "P M 1"], channels: int) -> Float[Tensor, "channels n"]:
        """The samples of the excerpt, from all decoded patches, channel by channel."""
        whole = features.reshape(channels, -1)
        start = self.patches.start * self.patch
        if self.rate == self.target:
            return whole[:, self.first - start : self.last - start]
        return interpolate(whole, self.rate, self.target, self.first, self.last, start)


def excerpt(
    frames: int, rate: int, patch: int, target: int, region: tuple[float, float] | None
) -> Excerpt:
    """Lay out a part of a sound; `region` is half-open, in seconds.

    Raises:
        SignalError: a region without the middle of a sample.
    """
    size = max(1, round(frames * target / rate))
    low, high = region or (0.0, size / target)
    first, last = (
        min(max(math.ceil(min(max(edge * target, -1.0), size + 1.0) - 0.5), 0), size)
        for edge in (low, high)
    )
    if first >= last:
        raise SignalError(
            f"region t: no sample between {low:g} and {high:g} s; "
            f"the sound has 0 to {frames / rate:g} s"
        )
    return Excerpt(frames, rate, patch, target, first, last)


def target_rate(rate: int, view: View) -> int:
    """Sampling rate of a view of a sound at `rate`.

    Raises:
        SignalError: both scale and at, or a rate out of range.
    """
    scale = view.factor()
    if view.at is not None:
        return read_header(view.at).rate
    target = round(rate * min(scale, 2.0 * MAX_RATE))
    if not 1 <= target <= MAX_RATE:
        raise SignalError(f"scale {scale}: gives {target} Hz; choose one of 1 to {MAX_RATE} Hz")
    return target


def interpolate(
    samples: Float[Tensor, "channels n"], rate: int, target: int, first: int, last: int, start: int
) -> Float[Tensor, "channels m"]:
    """Samples `first` to `last` of a sound at rate `target`, from those at `rate`.

    `samples` begin with number `start`. The filter is a sinc with a Hann window and a cutoff below
    half of the lower rate. Its weights sum to 1, so that silence stays silence. Beyond both ends
    the outermost sample is repeated.
    """
    common = math.gcd(rate, target)
    up, down = target // common, rate // common
    half = math.ceil(_half(rate, target))
    taps = np.arange(-half, half + 1)
    out = samples.new_empty(samples.shape[0], last - first)
    table = _weights(np.arange(up), up, down, taps) if up <= _PHASES else None
    for at in range(first, last, _CHUNK):
        j = np.arange(at, min(at + _CHUNK, last), dtype=np.int64)
        # the middle of sample j lies at (2 j + 1) down / (2 up), samples' middles at whole + 1/2
        nearest = (2 * j + 1) * down // (2 * up)
        weights = table[j % up] if table is not None else _weights(j, up, down, taps)
        index = np.clip(nearest[:, None] + taps - start, 0, samples.shape[1] - 1)
        seen = samples[:, torch.from_numpy(index)]  # channels m taps
        block = torch.einsum("cmt,mt->cm", seen, torch.from_numpy(weights).to(samples))
        out[:, at - first : at - first + len(j)] = block
    return out


def _half(rate: int, target: int) -> float:
    return CROSSINGS * max(1.0, rate / target) / ROLLOFF


def _weights(
    j: NDArray[np.int64], up: int, down: int, taps: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What every tap around the nearest sample adds to sample j: m taps."""
    position = (2 * j + 1) * down % (2 * up) / (2 * up) - 0.5  # of sample j from the nearest
    distance = (taps - position[:, None]) * ROLLOFF * min(1.0, up / down)  # in zero crossings
    window = np.cos(np.clip(distance / CROSSINGS, -1.0, 1.0) * (np.pi / 2)) ** 2
    weights = np.sinc(distance) * window
    return weights / weights.sum(1, keepdims=True)
