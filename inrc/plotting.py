"""Pictures of originals and decoded files."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def beside(original: dict[str, Any], decoded: dict[str, Any], path: Path) -> None:
    """Save two arrays (H W, or H W 3 in [0, 1]) and the map of their difference side by side."""
    a, b = np.asarray(original["image"], float), np.asarray(decoded["image"], float)
    unit = original.get("unit", "")
    error = np.abs(a - b).mean(-1) if a.ndim == 3 else b - a
    aspect = a.shape[0] / a.shape[1]
    figure = Figure(figsize=(15, 4.2 * max(min(aspect, 2.0), 0.55) + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    low, high = np.nanmin(a), np.nanmax(a)
    for axis, array, title in zip(axes[:2], (a, b), ("original", "decoded"), strict=True):
        shown = axis.imshow(array, vmin=low, vmax=high, interpolation="nearest")
        axis.set_title(title)
        if a.ndim == 2:
            figure.colorbar(shown, ax=axis, label=unit, shrink=0.8)
    reach = float(np.nanmax(np.abs(error))) or 1.0
    rmse = float(np.sqrt(np.nanmean((a - b) ** 2)))
    style = {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach}
    if a.ndim == 3:
        style = {"cmap": "magma", "vmin": 0.0, "vmax": reach}
    shown = axes[2].imshow(error, interpolation="nearest", **style)
    axes[2].set_title(f"error (RMSE {f'{rmse:.3g} {unit}'.strip()})")
    figure.colorbar(shown, ax=axes[2], label=unit, shrink=0.8)
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
    figure.savefig(path, dpi=110)
