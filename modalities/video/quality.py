"""Quality of a decoded clip compared with its original."""

import math
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_msssim import ms_ssim, ssim

from inrc import metrics
from inrc.errors import SignalError
from inrc_modalities.video.clip import Clip
from inrc_modalities.video.pixels import luma, rgb
from inrc_modalities.video.reading import load

PEAK = 255.0
EXACT_PSNR = 100.0
"""PSNR in dB of a frame without error, in a mean with other frames; an error of one level in one of
10^5 samples has 98 dB."""
WINDOW = 11
"""Side of the Gaussian window of SSIM (Wang et al. 2004)."""
MIN_MS_SSIM_SIDE = (WINDOW - 1) * 2**4
"""MS-SSIM halves the picture four times (Wang et al. 2003); a side must exceed this."""
_BT601 = (0.299, 0.114)


def measure(original: Path, decoded: Path) -> dict[str, float]:
    """Compare two files frame by frame; the result is the mean over the frames.

    `psnr`: of R, G and B pooled, 8 bits, as a screen shows them. `psnr_y`: of the luma as stored
    (of an RGB file: BT.601). Both in dB with a peak of 255. A frame in which nothing differs
    counts as 100 dB; both are infinite if nothing differs in any frame. `ms_ssim` of R, G and B, or
    `ssim` if a side has 160 pixels or fewer, or neither below 11 pixels.

    Raises:
        SignalError: a file that cannot be read, or files of two sizes or lengths.
    """
    first, second = load(original), load(decoded)
    if first.shape != second.shape:
        sizes = ["{} frames of {} by {} pixels".format(*c.shape) for c in (first, second)]
        raise SignalError(f"{decoded}: {sizes[1]}, but {original} has {sizes[0]}")
    small = min(first.shape[1:])
    measures: dict[str, list[float]] = {}
    for number in range(first.shape[0]):
        a, b = rgb(first, number), rgb(second, number)
        row = {
            "psnr": metrics.psnr(a, b, PEAK),
            "psnr_y": metrics.psnr(_luma(first, number), _luma(second, number), PEAK),
        }
        if small >= WINDOW:
            name, function = ("ms_ssim", ms_ssim) if small > MIN_MS_SSIM_SIDE else ("ssim", ssim)
            row[name] = float(function(_tensor(a), _tensor(b), data_range=PEAK, win_size=WINDOW))
        for key, value in row.items():
            measures.setdefault(key, []).append(value)
    return {key: _mean(values) for key, values in measures.items()}


def _mean(values: list[float]) -> float:
    if all(math.isinf(value) for value in values):
        return values[0]
    return fmean(min(value, EXACT_PSNR) for value in values)


def _luma(clip: Clip, number: int) -> NDArray[np.float64]:
    if clip.layout == "rgb":
        return rgb(clip, number).astype(np.float64) @ luma(_BT601)[0]
    return clip.planes[0][number].astype(np.float64)


def _tensor(frame: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(frame).float().permute(2, 0, 1)[None]
