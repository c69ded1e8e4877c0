"""How good a decoded volume is beside its original."""

import math
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from inrc import metrics
from inrc.errors import SignalError
from inrc_modalities.mri.labels import are_labels
from inrc_modalities.mri.reading import Volume, load
from inrc_modalities.mri.scaling import ends

Array = NDArray[np.float64]

WINDOW, SIGMA = 11, 1.5
"""Gaussian window of SSIM (Wang et al. 2004), in voxels."""
K1, K2 = 0.01, 0.03
"""Its constants (same source)."""
_SLAB = 1 << 21  # voxels whose SSIM is computed at once
_BINS = 256


def measure(original: Path, decoded: Path, percentile: float) -> dict[str, float]:
    """Compare two files in the original's real values, over the voxels that it knows.

    The peak of PSNR and SSIM is the range between the original's percentiles, as COIN++ has it;
    voxels outside of it count with their whole error, and `clipped` is their share.

    Returns `psnr` (dB) and `ssim` of the whole, `psnr_head` and `ssim_head` of the voxels inside
    the head (`head`), `max_error` in real values, and `clipped`.

    Raises:
        SignalError: a file that cannot be read, or two shapes.
    """
    first, second = load(original), load(decoded)
    if first.header.shape != second.header.shape:
        raise SignalError(
            f"{decoded}: {second.header.shape} voxels, but {original} has {first.header.shape}; "
            "compare files of one shape"
        )
    low, high = _range(first, percentile, original)
    peak = (high - low) or abs(high) or 1.0
    squares = np.zeros(2)
    many = np.zeros(2)
    alike = np.zeros(2)
    seen = np.zeros(2)
    worst, outside = 0.0, 0
    for number in range(first.header.volumes):
        a, b = first.real(number), second.real(number)
        known = np.isfinite(a)
        worst = max(worst, metrics.max_error(a, b))
        lost = known != np.isfinite(b)
        a[~known], b[~np.isfinite(b)] = low, low
        outside += int(((a < low) | (a > high)).sum())
        inside = head(a, low, high) & known
        error = np.square(a - b)
        error[lost] = math.inf
        similar, cut = ssim(a, b, peak), _inner(_reach(a.shape))
        for k, mask in enumerate((known, inside)):
            squares[k] += error[mask].sum()
            many[k] += mask.sum()
            alike[k] += similar[mask[cut]].sum()
            seen[k] += mask[cut].sum()
    if many[1] == 0 or seen[1] == 0:  # no head: all of it
        squares[1], many[1], alike[1], seen[1] = squares[0], many[0], alike[0], seen[0]
    measures = {}
    for k, name in enumerate(("", "_head")):
        mean = squares[k] / max(many[k], 1)
        measures[f"psnr{name}"] = _decibels(mean, peak)
        measures[f"ssim{name}"] = float(alike[k] / seen[k]) if seen[k] else 1.0
    return {**measures, "max_error": worst, "clipped": outside / max(many[0], 1.0)}


def head(volume: NDArray[np.floating[Any]], low: float, high: float) -> NDArray[np.bool_]:
    """The voxels that lie between bright ones along x, and along y, and along z.

    Bright is above the threshold of N. Otsu, "A threshold selection method from gray-level
    histograms" (1979), of 256 bins between the percentiles. Filling between them takes in
    ventricles, bone and air inside the head.
    """
    inside = np.ones(volume.shape, bool)
    bright = volume > otsu(volume, low, high)
    for axis in range(3):
        before = np.logical_or.accumulate(bright, axis)
        after = np.flip(np.logical_or.accumulate(np.flip(bright, axis), axis), axis)
        inside &= before & after
    return inside


def otsu(volume: NDArray[np.floating[Any]], low: float, high: float) -> float:
    """The value that splits a histogram into two classes of the largest variance between them."""
    if not low < high:
        return high
    counts, edges = np.histogram(np.clip(volume, low, high), _BINS, (low, high))
    centres = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum()[:-1].astype(np.float64)
    above = counts.sum() - below
    total = (counts * centres).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (total[:-1] / below - (total[-1] - total[:-1]) / above) ** 2
    return float(centres[np.nanargmax(between)])


def ssim(a: Array, b: Array, peak: float) -> Array:
    """Structural similarity where the whole window lies inside, X-10 Y-10 Z-10.

    Wang et al. 2004, in three dimensions, population moments. Along an axis that is shorter than
    the window, the window is cut to the longest odd size that fits.
    """
    reach = _reach(a.shape)
    lead = 2 * reach[0]
    rows = max(1, _SLAB // (a.shape[1] * a.shape[2]))
    return np.concatenate(
        [
            _slab(a[at : at + rows + lead], b[at : at + rows + lead], peak, reach)
            for at in range(0, a.shape[0] - lead, rows)
        ]
    )


def _slab(a: Array, b: Array, peak: float, reach: list[int]) -> Array:
    def blur(volume: Array) -> Array:
        blurred: Array = gaussian_filter(volume, SIGMA, radius=reach)
        return blurred[_inner(reach)]

    mean_a, mean_b = blur(a), blur(b)
    both = blur(a * b) - mean_a * mean_b
    spread = blur(a * a + b * b) - mean_a**2 - mean_b**2
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    bright = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    similar: Array = bright * (2 * both + c2) / (spread + c2)
    return similar


def _reach(shape: tuple[int, ...]) -> list[int]:
    """Voxels on either side of the middle of the window, along every axis."""
    return [(min(WINDOW, n) - 1) // 2 for n in shape]


def _inner(reach: list[int]) -> tuple[slice, ...]:
    """The voxels whose window lies inside."""
    return tuple(slice(n, -n or None) for n in reach)


def _range(file: Volume, percentile: float, path: Path) -> tuple[float, float]:
    """The real values between which a codec keeps the voxels of a file."""
    if are_labels(file.header, file.series()):
        stored = float(file.stored.min()), float(file.stored.max())
    else:
        stored = ends(file.stored, percentile, path)
    slope, inter = file.header.scaling
    low, high = sorted(end * slope + inter for end in stored)
    return low, high


def _decibels(error: float, peak: float) -> float:
    if error == 0:
        return math.inf
    return -math.inf if error == math.inf else 10 * math.log10(peak * peak / error)


def picture(path: Path, like: Path, percentile: float) -> NDArray[np.float64]:
    """The middle axial slice of the first volume, face up, left on the left, H W 3 in [0, 1].

    The grey levels are those of the file `like`.
    """
    file, reference = load(path), load(like)
    low, high = _range(reference, percentile, like)
    affine = np.vstack([file.header.affine(), [0, 0, 0, 1]])
    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(file.real(0), affine))
    volume = np.asarray(image.dataobj)
    flat = volume[:, ::-1, volume.shape[2] // 2].T
    grey = np.clip(np.nan_to_num((flat - low) / ((high - low) or 1.0), posinf=1.0), 0.0, 1.0)
    return np.repeat(grey[..., None], 3, axis=-1)  # grey, and no colours of a map
