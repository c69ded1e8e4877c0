"""Rate-distortion figures: our codecs solid, baselines dashed, published points hollow."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inrc.errors import UsageError
from inrc.evaluation.curves import Curve
from inrc.evaluation.published import Published
from inrc.evaluation.results import CODEC_NAME

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8B6914")
"""The palette of Okabe and Ito, suited to colour blindness; brown instead of its yellow."""
MARKS = "osD^vPX*"


def draw(
    curves: Sequence[Curve],
    measure: str = "psnr",
    published: Sequence[Published] = (),
    log: bool = True,
    ours: str = CODEC_NAME,
) -> "Figure":
    """Quality against rate, and quality against time, side by side.

    Published curves of another measure or unit are left out.

    Raises SignalError for a measure that a curve does not have.
    """
    from matplotlib.figure import Figure

    unit = curves[0].unit
    same = [each for each in published if each.measure == measure and each.unit == unit]
    reach = _reach(curves, measure)
    same = [each for each in same if min(each.rates) <= reach]
    high = max(5.0, 0.24 * (len(curves) + len(same)))
    figure = Figure(figsize=(12.0, high), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    labels = []
    for number, curve in enumerate(curves):
        style = _style(number, solid=curve.codec.startswith(ours))
        rates, quality = curve.pairs(measure)
        left.plot(rates, quality, **style)
        finite = [value for value in quality if math.isfinite(value)]
        if not finite:  # only its rate can be drawn
            left.axvline(rates[-1], color=style["color"], linestyle=":", linewidth=1.2)
        lossless = all(value == math.inf for value in quality)
        note = "" if finite else " (lossless)" if lossless else " (undefined)"
        named = f"{curve.codec}{note}"
        labels.append((finite[-1] if finite else math.inf, named, style))
        for seconds, fill in (("encode_seconds", "full"), ("decode_seconds", "none")):
            times = [max(getattr(point, seconds), 1e-5) for point in curve.points]
            right.plot(times, quality, linestyle="", **_dots(style, fill))
    for number, paper in enumerate(same, len(curves)):
        style = _style(number, solid=False) | {"linestyle": "", "markerfacecolor": "none"}
        near = [(r, q) for r, q in zip(paper.rates, paper.quality, strict=True) if r <= reach]
        if near:
            left.plot(*zip(*near, strict=True), **style)
            labels.append((near[-1][1], f"{paper.method} (published)", style))
    if log:
        left.set_xscale("log")
        _ticks(left.xaxis)
    left.set(xlabel=f"bits per {unit}, all bytes of a file counted", ylabel=name(measure))
    right.set(xlabel="seconds per file: encoding filled, decoding hollow", ylabel=name(measure))
    right.set_xscale("log")
    _ticks(right.xaxis)
    for axes in (left, right):
        axes.grid(alpha=0.3)
    _label(left, labels)
    return figure


def save(figure: "Figure", path: Path) -> None:
    """Write a figure, format by suffix.

    Raises UsageError for an unknown suffix.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{path}: unknown format {path.suffix!r}; use {', '.join(SUFFIXES)} or .html"
        )
    figure.savefig(path, dpi=120)


def _reach(curves: Sequence[Curve], measure: str) -> float:
    """Highest rate of published points; higher ones would compress the rest of the figure."""
    return 4.0 * max(max(curve.pairs(measure)[0]) for curve in curves)


def _style(number: int, solid: bool) -> dict[str, Any]:
    return {
        "color": COLOURS[number % len(COLOURS)],
        # a repeated colour has another marker
        "marker": MARKS[(number + number // len(COLOURS)) % len(MARKS)],
        "linestyle": "-" if solid else "--",
        "linewidth": 2.2 if solid else 1.2,
        "markersize": 5.0,
    }


def _dots(style: dict[str, Any], fill: str) -> dict[str, Any]:
    return {"color": style["color"], "marker": style["marker"], "markersize": 5, "fillstyle": fill}


def _label(axes: "Axes", labels: Sequence[tuple[float, str, dict[str, Any]]]) -> None:
    """Names in a column beside the axes, near the ends of their curves, without overlaps."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.045
    at = -math.inf
    placed = []
    for quality, text, style in sorted(labels, key=lambda each: each[0]):
        at = max(min(quality, high), low + gap / 2, at + gap)
        placed.append((at, text, style))
    over = max(0.0, placed[-1][0] - (high - gap / 2)) if placed else 0.0
    beside = axes.get_yaxis_transform()  # across in shares of the axes, upwards in their data
    for height, text, style in placed:
        axes.plot(
            [1.03], [height - over], transform=beside, clip_on=False, label="_",
            **style | {"linestyle": ""},
        )  # fmt: skip
        axes.text(
            1.055, height - over, text, transform=beside, color=style["color"], fontsize=8.5,
            va="center",
        )  # fmt: skip
    axes.set_ylim(low, high)


def _ticks(axis: "Axis") -> None:
    """Ticks at 0.2, 0.5, 1, 2, ... instead of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    begin, end = axis.get_view_interval()
    subs = (1.0, 2.0, 5.0) if end < 300 * begin else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def name(measure: str) -> str:
    """Label of a measure for axes and titles."""
    return "PSNR, dB" if measure == "psnr" else measure.replace("_", " ")
