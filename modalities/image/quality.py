"""How good a decoded image file is beside its original."""

from pathlib import Path

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
SMALLEST = (WINDOW - 1) * 2**4
"""MS-SSIM halves the image four times (Wang et al. 2003); a side must exceed this."""


def measure(original: Path, decoded: Path) -> dict[str, float]:
    """Compare two files as they are stored, all channels pooled, on the scale of the original.

    Returns `psnr` in dB (peak 255 or 65535, infinite if nothing differs), `max_error` in levels,
    and `ms_ssim`, or `ssim` if a side has 160 pixels or fewer, or neither below 11 pixels.

    Raises:
        SignalError: a file that cannot be read, or two sizes.
    """
    first, second = load(original), load(decoded)
    if first.array.shape[:2] != second.array.shape[:2]:
        sizes = [f"{p.array.shape[1]} by {p.array.shape[0]}" for p in (first, second)]
        raise SignalError(f"{decoded}: {sizes[1]} pixels, but {original} has {sizes[0]}")
    colours = max(MODES[first.mode][0], MODES[second.mode][0])
    alpha = MODES[first.mode][1] or MODES[second.mode][1]
    layout = ("RGB" if colours == 3 else "L") + ("A" if alpha else "")
    peak = first.peak
    a = recast(first.array, first.mode, layout, peak).astype(np.float64)
    b = recast(second.array, second.mode, layout, second.peak).astype(np.float64)
    b *= peak / second.peak
    found = {"psnr": metrics.psnr(a, b, peak), "max_error": metrics.max_error(a, b)}
    small = min(a.shape[:2])
    if small >= WINDOW:
        name, function = ("ms_ssim", ms_ssim) if small > SMALLEST else ("ssim", ssim)
        found[name] = float(
            function(_planes(a / peak), _planes(b / peak), data_range=1.0, win_size=WINDOW)
        )
    return found


def shown(pixels: Pixels) -> NDArray[np.uint8]:
    """Eight bits for the screen, H W or H W 3, on white."""
    colours, alpha = MODES[pixels.mode]
    value = pixels.array[..., :colours] / pixels.peak
    if alpha:
        value = 1.0 - (1.0 - value) * (pixels.array[..., -1:] / pixels.peak)
    levels = np.floor(value * 255.0 + 0.5).astype(np.uint8)
    return levels[..., 0] if colours == 1 else levels


def _planes(array: NDArray[np.float64]) -> torch.Tensor:
    # single precision: twice as fast, and right to the fourth decimal
    return torch.from_numpy(array).float().permute(2, 0, 1)[None]
