"""How good a decoded image file is beside its original."""

import math
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_msssim import ms_ssim, ssim

from inrc import metrics
from inrc.errors import SignalError
from inrc_modalities.image.pixels import MODES, Pixels, recast
from inrc_modalities.image.reading import load

WINDOW = 11
"""Side of the Gaussian window of SSIM (Wang et al. 2004)."""
MIN_SIDE = (WINDOW - 1) * 2**4
"""MS-SSIM halves the image four times (Wang et al. 2003), so every side must be longer."""


def measure(original: Path, decoded: Path) -> dict[str, float]:
    """Compare two files as they are stored, on the scale of the original.

    Squared errors and MS-SSIM are means over the channels.

    Returns:
        `psnr` in dB (peak 255 or 65535, infinite if the files are equal), `max_error` in levels,
        and `ms_ssim`, or `ssim` if a side has 160 pixels or fewer, or neither below 11 pixels.

    Raises:
        SignalError: a file that cannot be read, or files of different sizes.
    """
    first, second = load(original), load(decoded)
    if first.array.shape[:2] != second.array.shape[:2]:
        sizes = [f"{p.array.shape[1]} by {p.array.shape[0]}" for p in (first, second)]
        raise SignalError(
            f"{decoded}: {sizes[1]} pixels, but {original} has {sizes[0]}; compare equal sizes"
        )
    colours = max(MODES[first.mode][0], MODES[second.mode][0])
    alpha = MODES[first.mode][1] or MODES[second.mode][1]
    layout = ("RGB" if colours == 3 else "L") + ("A" if alpha else "")
    peak = first.peak
    a = recast(first.array, first.mode, layout, first.peak)
    b = recast(second.array, second.mode, layout, second.peak)
    level = peak / second.peak
    shortest = min(a.shape[:2])
    name, function = ("ms_ssim", ms_ssim) if shortest > MIN_SIDE else ("ssim", ssim)
    errors, max_errors, similarities = [], [], []
    # one channel at a time, so that copies in floating point stay small
    for one, two in zip(np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0), strict=True):
        errors.append(metrics.mse(one, two * level))
        max_errors.append(metrics.max_error(one, two * level))
        if shortest >= WINDOW:
            planes = (_plane(one, peak), _plane(two, second.peak))
            similarities.append(float(function(*planes, data_range=1.0, win_size=WINDOW)))
    error = fmean(errors)
    psnr = 10.0 * math.log10(peak * peak / error) if error else math.inf
    measures = {"psnr": psnr, "max_error": max(max_errors)}
    if similarities:
        measures[name] = fmean(similarities)
    return measures


def shown(pixels: Pixels) -> NDArray[np.uint8]:
    """Pixels in 8 bits for the screen, H W or H W 3, on white."""
    colours, alpha = MODES[pixels.mode]
    value = pixels.array[..., :colours] / pixels.peak
    if alpha:
        value = 1.0 - (1.0 - value) * (pixels.array[..., -1:] / pixels.peak)
    levels = np.floor(value * 255.0 + 0.5).astype(np.uint8)
    return levels[..., 0] if colours == 1 else levels


def _plane(array: NDArray[np.integer[Any]], peak: int) -> torch.Tensor:
    # single precision is twice as fast, and right to four decimals
    return torch.from_numpy(array.astype(np.float32) / np.float32(peak))[None, None]
