"""One file as several codecs decode it at about the same rate, side by side with their errors."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inrc import codec
from inrc.errors import InrcError, SignalError
from inrc.evaluation.baselines import baselines
from inrc.evaluation.linear import NAME as PCA
from inrc.evaluation.results import Result, ordered
from inrc.model import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_BASELINES = 3
"""Number of baselines beside our codec."""
CROP_SIDE = 256
"""Pixels of the longer side of a crop."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shown:
    """A result, and pictures of the decoded file and the original.

    The views of a scene may differ: our codecs decode held-out views, a video codec stored ones.
    """

    row: Result
    image: Array
    original: Array


def gallery(rows: Sequence[Result], path: Path, measure: str = "psnr") -> "Figure":
    """Draw the file of median quality, decoded by our codec and by baselines at about its rate.

    Raises SignalError if there are no results of this model, no files, or no pictures of them.
    """
    model = Model.load(path)
    chosen = _chosen(rows, path, model, measure)
    unit, shown = "", []
    for row in chosen:
        pair = _decoded(row, path, model)
        if pair is not None:
            unit = str(pair[0].get("unit", ""))
            shown.append(Shown(row, _array(pair[1]), _array(pair[0])))
    if not shown:
        raise SignalError(f"{chosen[0].file}: data of this kind have no pictures; draw curves")
    return _draw(unit, shown, measure)


def _chosen(rows: Sequence[Result], path: Path, model: Model, measure: str) -> list[Result]:
    """Rows to show of one file: ours first, then PCA and the best of the others at that rate."""
    quality = model.num_qualities // 2
    ours = [r for r in rows if r.model == model.id.hex() and r.setting == quality and not r.error]
    ours = [r for r in ours if Path(r.file).is_file()]
    if not ours:
        raise SignalError(
            f"{path}: no result at quality level {quality} with an existing file; evaluate again"
        )
    by_quality = ordered(ours, measure)
    if not by_quality:
        raise SignalError(
            f"{path}: {measure} of quality level {quality} is undefined for every file"
        )
    mine = by_quality[len(by_quality) // 2]
    nearest: dict[str, Result] = {}
    for row in rows:
        if row.model is None and row.file_id == mine.file_id and not row.error:
            best = nearest.get(row.codec, row)
            # of settings with equal rates, the best one
            better = (_distance(row, mine), -row.value(measure)) < (
                _distance(best, mine), -best.value(measure),
            )  # fmt: skip
            nearest[row.codec] = row if better else best
    ranked = sorted(nearest.values(), key=lambda row: _distance(row, mine))
    ranked = sorted(ranked, key=lambda row: row.codec != PCA)  # stable: PCA first
    return [mine, *ranked[:NUM_BASELINES]]


def _distance(row: Result, mine: Result) -> float:
    """Distance of two rates, in nats."""
    return abs(math.log(row.rate / mine.rate))


def _decoded(row: Result, path: Path, model: Model) -> tuple[dict[str, Any], dict[str, Any]] | None:
    original, modality = Path(row.file), model.modality
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"decoded{modality.measurable(original)}"
        try:
            if row.model is not None:
                made = codec.compress([original], model, int(row.setting))
                codec.decompress(made.data, model, target, modality.evaluation_view(original))
            else:
                baseline = baselines(path, model)[row.codec]
                baseline.decode(baseline.encode(original, row.setting), original, target)
        except KeyError:
            raise SignalError(f"{row.codec}: not installed") from None
        except (InrcError, OSError) as error:
            raise SignalError(f"{row.codec}: {error}") from error
        return modality.picture(original, target)


def _array(picture: dict[str, Any]) -> Array:
    return np.asarray(picture["image"], np.float64)


def crop(shape: tuple[int, int], side: int = CROP_SIDE) -> tuple[slice, slice]:
    """The middle of a picture: `side` where both of its sides are longer, else twice that."""
    most = side if min(shape) > side else 2 * side
    begin = [max(n - most, 0) // 2 for n in shape]
    return slice(begin[0], begin[0] + most), slice(begin[1], begin[1] + most)


def _draw(unit: str, shown: Sequence[Shown], measure: str) -> "Figure":
    from matplotlib.figure import Figure

    from inrc.evaluation.figure import name

    original = shown[0].original
    elsewhere = [not np.array_equal(each.original, original, equal_nan=True) for each in shown]
    window = crop((original.shape[0], original.shape[1]))
    original = original[window]
    pictures = [each.image[window] for each in shown]
    errors = [_error(each.original[window], each.image[window]) for each in shown]
    height = 2.6 * min(max(original.shape[0] / original.shape[1], 0.45), 1.6)
    columns = 1 + len(shown)
    figure = Figure(figsize=(2.9 * columns + 0.8, 2 * height + 1.3), layout="constrained")
    grid = figure.add_gridspec(2, columns)
    low, high = float(np.nanmin(original)), float(np.nanmax(original))
    first = figure.add_subplot(grid[:, 0])
    image = first.imshow(original, vmin=low, vmax=high, interpolation="nearest")
    first.set_title("original", fontsize=9)
    if original.ndim == 2:
        figure.colorbar(image, ax=first, label=unit, shrink=0.5, location="bottom")
    reach = max(float(np.nanmax(each)) for each in errors) or 1.0
    below = []
    for column, (each, picture, error) in enumerate(zip(shown, pictures, errors, strict=True), 1):
        upper, lower = (figure.add_subplot(grid[row, column]) for row in (0, 1))
        upper.imshow(picture, vmin=low, vmax=high, interpolation="nearest")
        row = each.row
        upper.set_title(
            f"{row.codec}{', other views' if elsewhere[column - 1] else ''}\n"
            f"{_rate(row.rate)} bits/{row.unit}\n"
            f"{name(measure).replace(', dB', '')} {row.value(measure):.4g}"
            f"{' dB' if ', dB' in name(measure) else ''}",
            fontsize=9,
        )
        image = lower.imshow(error, vmin=0.0, vmax=reach, cmap="magma", interpolation="nearest")
        below.append(lower)
        if column == 1:
            lower.set_ylabel("error", fontsize=9)
    figure.colorbar(image, ax=below, label=f"error {unit}".strip(), shrink=0.9)
    for axes in [*below, first, *figure.axes[: 2 * columns]]:
        if axes.get_images():
            axes.set_xticks([])
            axes.set_yticks([])
    return figure


def _rate(rate: float) -> str:
    """Three significant digits, or an integer from 1000 on."""
    return f"{rate:.3g}" if rate < 1000 else f"{rate:.0f}"


def _error(original: Array, decoded: Array) -> Array:
    """Absolute difference, for colours the mean over channels."""
    away = np.abs(decoded - original)
    return away.mean(-1) if away.ndim == 3 else away
