"""Rate-distortion figures: ours solid, ordinary codecs dashed, published points hollow."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inrc.errors import UsageError
from inrc.evaluation.curves import Curve
from inrc.evaluation.published import Published

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8B6914")
"""Okabe and Ito's palette, told apart by colour-blind eyes; its yellow replaced by a brown."""
MARKS = "osD^vPX*"


def draw(
    curves: Sequence[Curve],
    measure: str = "psnr",
    published: Sequence[Published] = (),
    log: bool = True,
    ours: str = "inrc",
) -> "Figure":
    """Quality and time against rate, side by side.

    Published curves are those of `measure` and of the same unit; others are left out.

    Raises SignalError for a measure that a curve lacks.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 5.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    unit = curves[0].unit
    labels = []
    for number, curve in enumerate(curves):
        style = _style(number, solid=curve.codec.startswith(ours))
        rates, quality = curve.pairs(measure)
        left.plot(rates, quality, **style)
        labels.append((rates[-1], quality[-1], curve.codec, style["color"]))
        for seconds, fill in (("encode_seconds", "full"), ("decode_seconds", "none")):
            times = [max(getattr(point, seconds), 1e-5) for point in curve.points]
            right.plot(times, quality, linestyle="", **_dots(style, fill))
    same = [each for each in published if each.measure == measure and each.unit == unit]
    reach = _reach(curves, measure)
    for number, paper in enumerate(same, len(curves)):
        style = _style(number, solid=False) | {"linestyle": "", "markerfacecolor": "none"}
        near = [(r, q) for r, q in zip(paper.rates, paper.quality, strict=True) if r <= reach]
        if near:
            left.plot(*zip(*near, strict=True), **style)
            labels.append((*near[-1], f"{paper.method} (published)", style["color"]))
    if log:
        left.set_xscale("log")
    left.set(xlabel=f"bits per {unit}, all bytes of a file counted", ylabel=name(measure))
    right.set(xlabel="seconds per file: encoding filled, decoding hollow", ylabel=name(measure))
    right.set_xscale("log")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    _label(left, labels)
    return figure


def save(figure: "Figure", path: Path) -> None:
    """Write a figure, format by suffix.

    Raises UsageError for an unknown suffix.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: cannot draw {path.suffix!r}; use {', '.join(SUFFIXES)} or .html")
    figure.savefig(path, dpi=120)


def _reach(curves: Sequence[Curve], measure: str) -> float:
    """Published points far beyond everything measured would squeeze the rest."""
    return 4.0 * max(max(curve.pairs(measure)[0]) for curve in curves)


def _style(number: int, solid: bool) -> dict[str, Any]:
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKS[number % len(MARKS)],
        "linestyle": "-" if solid else "--",
        "linewidth": 2.2 if solid else 1.2,
        "markersize": 5.0,
    }


def _dots(style: dict[str, Any], fill: str) -> dict[str, Any]:
    return {"color": style["color"], "marker": style["marker"], "markersize": 5, "fillstyle": fill}


def _label(axes: "Axes", labels: Sequence[tuple[float, float, str, str]]) -> None:
    """Names beside the ends of curves, moved apart so that none covers another."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.042
    at = -math.inf
    placed = []
    for rate, quality, text, colour in sorted(labels, key=lambda each: each[1]):
        at = max(quality, at + gap)
        placed.append((rate, quality, at, text, colour))
    over = max(0.0, placed[-1][2] - high) if placed else 0.0
    right = max(rate for rate, *_ in placed)
    for rate, quality, height, text, colour in placed:
        axes.annotate(
            text,
            (rate, quality),
            xytext=(right, height - over),
            textcoords="data",
            color=colour,
            fontsize=8.5,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "alpha": 0.35, "linewidth": 0.6},
            horizontalalignment="left",
        )
    begin, end = axes.get_xlim()
    if axes.get_xscale() == "log":
        axes.set_xlim(begin, 10 ** (math.log10(end) + 0.3 * (math.log10(end) - math.log10(begin))))
    else:
        axes.set_xlim(begin, end + 0.3 * (end - begin))


def name(measure: str) -> str:
    """A measure as axes and titles call it."""
    return "PSNR, dB" if measure == "psnr" else measure.replace("_", " ")
