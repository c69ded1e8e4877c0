"""How good rendered views are beside the pictures that cameras took."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_msssim import ssim

from inrc import metrics
from inrc.errors import SignalError
from inrc_modalities.nerf import files
from inrc_modalities.nerf.cameras import same
from inrc_modalities.nerf.scene import Scene, See

WINDOW = 11
"""Side of the Gaussian window of SSIM (Wang et al. 2004)."""
MAX_SHOWN = 4
"""Views of a picture."""


def measure(see: See, original: Path, decoded: Path) -> dict[str, float]:
    """Mean `psnr` in dB (peak 1) and mean `ssim` of views, as papers on view synthesis have them.

    Views are paired by their cameras, with the held-out views of the original first, then with its
    own. SSIM is left out below 11 pixels. PSNR is infinite where nothing differs.

    Raises:
        SignalError: a file that cannot be read, or no camera in common.
    """
    truth, views, pairs = paired(original, decoded)
    measures: dict[str, list[float]] = {"psnr": []}
    for mine, other in pairs:
        a, b = see(truth, other), see(views, mine)
        measures["psnr"].append(metrics.psnr(a, b, 1.0))
        if min(a.shape[:2]) >= WINDOW:
            value = ssim(_planes(a), _planes(b), data_range=1.0, win_size=WINDOW)
            measures.setdefault("ssim", []).append(float(value))
    return {name: metrics.mean(values) for name, values in measures.items()}


def picture(
    see: See, original: Path, decoded: Path
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Four pairs of views, two by two, or the first if there are fewer; H W 3 in [0, 1].

    None if no camera is in common.
    """
    try:
        truth, views, pairs = paired(original, decoded)
    except SignalError:
        return None
    several = len(pairs) >= MAX_SHOWN
    chosen = (
        [pairs[i * len(pairs) // MAX_SHOWN] for i in range(MAX_SHOWN)] if several else pairs[:1]
    )
    first = [see(truth, other) for _, other in chosen]
    second = [see(views, mine) for mine, _ in chosen]
    return {"image": _mosaic(first), "unit": ""}, {"image": _mosaic(second), "unit": ""}


def paired(original: Path, decoded: Path) -> tuple[Scene, Scene, list[tuple[int, int]]]:
    """The scene to compare with, the decoded one, and pairs of numbers (decoded, original)."""
    views = files.load(decoded)
    for path in (files.held_out(original), original):
        if path is not None:
            truth = files.load(path)
            pairs = same(views.cameras, truth.cameras)
            if pairs:
                return truth, views, pairs
    wanted = files.held_out(original) or original
    raise SignalError(
        f"{decoded}: no view with the size and camera of a view of {original}; "
        f"decode it with --at {wanted}"
    )


def _mosaic(views: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    columns = 2 if len(views) == MAX_SHOWN else 1
    rows = [np.concatenate(views[i : i + columns], 1) for i in range(0, len(views), columns)]
    return np.concatenate(rows, 0)


def _planes(array: NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)[None]
