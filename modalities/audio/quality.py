"""Quality of a decoded sound file compared with its original, and spectrograms."""

import math
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.audio.reading import blocks, read_header

WINDOW = 512
"""Samples of the window of a spectrogram: 32 ms at 16 kHz."""
COLUMNS = 600
"""Largest number of columns of a spectrogram."""
FLOOR = -100.0
"""Level in dB, relative to full scale, that is shown as silence."""
LIMIT = 150.0
"""Largest SNR and SI-SDR in dB; samples of 24 bits have 146 dB (6.02 dB a bit, and 1.76)."""
_SHOWN = 1 << 22  # largest number of samples in a picture
_BLOCK = 1 << 16


def measure(original: Path, decoded: Path) -> dict[str, float]:
    """Compare two files as they are stored, a block at a time.

    Returns, in dB:
        `psnr`, of samples mapped from [-1, 1] to [0, 1], peak 1, all channels pooled: the
        convention of COIN++ and RECOMBINER, 6.02 dB above that of samples in [-1, 1]. Infinite
        if no sample differs.
        `snr`, 10 log10(sum x^2 / sum e^2), all channels pooled.
        `si_sdr`, 10 log10(|s|^2 / |y - s|^2) with s = (y x / x x) x, the part of the decoded y
        that is a multiple of the original x (Le Roux et al. 2019, eq. 5, means not removed). The
        mean over the channels, without those that are silent in both files.
        The last two are limited to -LIMIT ... LIMIT dB, so that a mean over files is finite: the
        upper limit is that of equal sounds, the lower one that of sound decoded as silence and of
        silence decoded as sound, where the ratio is undefined or infinite.

    Raises:
        SignalError: a file that cannot be read, or two sizes or rates.
    """
    a, b = read_header(original), read_header(decoded)
    for what, one, two in [
        ("samples", a.frames, b.frames),
        ("channels", a.channels, b.channels),
        ("samples per second", a.rate, b.rate),
    ]:
        if one != two:
            raise SignalError(f"{decoded}: {two} {what}, but {original} has {one}")
    xx, yy, ee, xe = np.zeros((4, a.channels))
    for one_block, two_block in zip(blocks(original, _BLOCK), blocks(decoded, _BLOCK), strict=True):
        x, y = one_block.astype(np.float64), two_block.astype(np.float64)
        e = y - x
        xx += (x * x).sum(0)
        yy += (y * y).sum(0)
        ee += (e * e).sum(0)
        xe += (x * e).sum(0)
    error = float(ee.sum())
    values = 4.0 * a.frames * a.channels  # their peak is 1 where that of samples is 2
    return {
        "psnr": 10.0 * math.log10(values / error) if error else math.inf,
        "snr": _limited(float(xx.sum()), error),
        "si_sdr": _si_sdr(xx, yy, ee, xe),
    }


def _si_sdr(
    xx: NDArray[np.float64],
    yy: NDArray[np.float64],
    ee: NDArray[np.float64],
    xe: NDArray[np.float64],
) -> float:
    """SI-SDR from the energies of original, decoded and error, and the product of x and e."""
    ratios = []
    for x, y, e, product in zip(xx, yy, ee, xe, strict=True):
        if x == 0.0 or y == 0.0:
            if x != y:
                ratios.append(-LIMIT)
            continue
        # y = x + e; the part of y along x is (1 + xe / xx) x, and the rest of e is the distortion:
        # from e, and not from y, it is exact where the two sounds are nearly equal
        scale = 1.0 + product / x
        ratios.append(_limited(scale * scale * x, max(e - product * product / x, 0.0)))
    return sum(ratios) / len(ratios) if ratios else LIMIT


def _limited(signal: float, noise: float) -> float:
    """10 log10 of a ratio of energies, within the limits; LIMIT if there is no noise."""
    if noise <= 0.0:
        return LIMIT
    if signal <= 0.0:
        return -LIMIT
    return min(max(10.0 * math.log10(signal / noise), -LIMIT), LIMIT)


def spectrogram(path: Path) -> NDArray[np.float64]:
    """Level in dB, H W, over frequency (low at the bottom) and time, averaged over the channels.

    A sine at full scale has 0 dB. Only the beginning of a long file is shown.
    """
    header = read_header(path)
    many = -(-min(header.frames, _SHOWN) // _BLOCK)
    sound = np.concatenate([block.mean(1) for block in islice(blocks(path, _BLOCK), many)])
    window = np.hanning(WINDOW)
    sound = np.pad(sound, (0, max(0, WINDOW - len(sound))))
    hop = max(WINDOW // 4, (len(sound) - WINDOW) // COLUMNS + 1)
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::hop]
    level = np.abs(np.fft.rfft(frames * window)) / (window.sum() / 2)
    decibels = 20.0 * np.log10(np.maximum(level, 10.0 ** (FLOOR / 20.0)))
    return np.ascontiguousarray(decibels.T[::-1])
