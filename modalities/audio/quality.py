"""How good a decoded sound file is beside its original, and how it looks."""

import math
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.audio.reading import blocks, look

WINDOW = 512
"""Samples under the window of a spectrogram: 32 ms at 16 kHz."""
COLUMNS = 600
"""Columns of a spectrogram at most."""
FLOOR = -100.0
"""dB below full scale that are shown as silence."""
_SHOWN = 1 << 22  # samples at most that a picture is made of
_BLOCK = 1 << 16


def measure(original: Path, decoded: Path) -> dict[str, float]:
    """Compare two files as they are stored, a block at a time.

    Returns, in dB:
        `psnr`, of samples mapped from [-1, 1] to [0, 1], peak 1, all channels pooled: the
        convention of COIN++ and RECOMBINER, 6.02 dB above that of samples in [-1, 1].
        `snr`, 10 log10(sum x^2 / sum e^2), all channels pooled.
        `si_sdr`, the same after the best scaling of the original (Le Roux et al. 2019, eq. 2,
        means not removed), the mean over the channels that are not silent.
        Infinite where nothing differs; -infinity where silence became sound.

    Raises:
        SignalError: a file that cannot be read, or two sizes or rates.
    """
    a, b = look(original), look(decoded)
    for what, one, two in [
        ("samples", a.frames, b.frames),
        ("channels", a.channels, b.channels),
        ("samples per second", a.rate, b.rate),
    ]:
        if one != two:
            raise SignalError(f"{decoded}: {two} {what}, but {original} has {one}")
    xx, ee, xe = np.zeros((3, a.channels))
    for one_block, two_block in zip(blocks(original, _BLOCK), blocks(decoded, _BLOCK), strict=True):
        x = one_block.astype(np.float64)
        e = two_block - x
        xx += (x * x).sum(0)
        ee += (e * e).sum(0)
        xe += (x * e).sum(0)
    heard = xx > 0
    # y = x + e; the part of y along x is (1 + xe/xx) x, the rest of e is the distortion
    along = 1.0 + xe[heard] / xx[heard]
    rest = np.maximum(ee[heard] - xe[heard] ** 2 / xx[heard], 0.0)
    ratios = [_ratio(t * t * s, r) for t, s, r in zip(along, xx[heard], rest, strict=True)]
    return {
        "psnr": _ratio(4.0 * a.frames * a.channels, float(ee.sum())),
        "snr": _ratio(float(xx.sum()), float(ee.sum())),
        "si_sdr": sum(ratios) / len(ratios) if ratios else _ratio(0.0, float(ee.sum())),
    }


def _ratio(signal: float, noise: float) -> float:
    """10 log10 of a ratio of energies."""
    if noise <= 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal > 0.0 else -math.inf


def spectrogram(path: Path) -> NDArray[np.float64]:
    """Level in dB, H W, over frequency (low at the bottom) and time, all channels averaged.

    A sine at full scale has 0 dB. Of a long file the beginning is shown.
    """
    header = look(path)
    many = -(-min(header.frames, _SHOWN) // _BLOCK)
    sound = np.concatenate([block.mean(1) for block in islice(blocks(path, _BLOCK), many)])
    window = np.hanning(WINDOW)
    sound = np.pad(sound, (0, max(0, WINDOW - len(sound))))
    hop = max(WINDOW // 4, (len(sound) - WINDOW) // COLUMNS + 1)
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::hop]
    level = np.abs(np.fft.rfft(frames * window)) / (window.sum() / 2)
    decibels = 20.0 * np.log10(np.maximum(level, 10.0 ** (FLOOR / 20.0)))
    return np.ascontiguousarray(decibels.T[::-1])
