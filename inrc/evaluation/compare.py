"""Every codec of some rows against an anchor, on mean curves and file by file."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from inrc.errors import SignalError
from inrc.evaluation.bdrate import bd_psnr, bd_rate, interval
from inrc.evaluation.curves import Curve, curves, per_file
from inrc.evaluation.rows import Result


def compare(rows: Sequence[Result], anchor: str, measure: str = "psnr") -> list[dict[str, Any]]:
    """Deltas of all codecs but the anchor, plain values.

    `bd_rate` (per cent) and `bd_quality` are those of the mean curves over the `shared` files that
    both codecs were measured on; `overlap` is the share of their ranges that both have;
    `bd_quality` is None where their rates have nothing in common. `files`
    counts those whose own curves overlap, `mean` and `interval` are of their own rate deltas. Where
    nothing can be said, `why` says why.

    Raises SignalError if the anchor has no curve.
    """
    whole = {curve.codec: curve for curve in curves(rows)}
    if anchor not in whole:
        raise SignalError(f"{anchor}: no setting was measured on all of its files")
    files = sorted({row.file_id for row in rows})
    own = {file: {curve.codec: curve for curve in per_file(rows, file)} for file in files}
    found = []
    for name, curve in whole.items():
        if name == anchor:
            continue
        deltas = []
        for each in own.values():
            if name in each and anchor in each:
                try:
                    deltas.append(bd_rate(*_both(each[anchor], each[name], measure)).value)
                except SignalError:
                    continue  # this file's curves do not overlap
        found.append(_delta(*_shared(rows, whole[anchor], curve), measure, deltas))
    return found


def _delta(anchor: Curve, curve: Curve, measure: str, deltas: list[float]) -> dict[str, Any]:
    shared = len(set(anchor.files) & set(curve.files))
    entry: dict[str, Any] = {
        "codec": curve.codec, "why": None, "files": len(deltas), "shared": shared,
    }  # fmt: skip
    if not shared:
        return entry | {"why": "measured on other files than the anchor"}
    try:
        pair = _both(anchor, curve, measure)
        rate = bd_rate(*pair)
    except SignalError as error:
        return entry | {"why": str(error)}
    try:
        quality = bd_psnr(*pair).value
    except SignalError:  # equally good at rates that have nothing in common
        quality = None
    return entry | {
        "bd_rate": rate.value,
        "bd_quality": quality,
        "overlap": rate.overlap,
        "low": rate.low,
        "high": rate.high,
        "mean": fmean(deltas) if deltas else None,
        "interval": list(interval(deltas)) if len(deltas) > 1 else None,
    }


def _shared(rows: Sequence[Result], anchor: Curve, curve: Curve) -> tuple[Curve, Curve]:
    """Both curves over the files that both have: a codec may have refused some of them."""
    files = set(anchor.files) & set(curve.files)
    if not files or anchor.files == curve.files:
        return anchor, curve
    some = {each.codec: each for each in curves([row for row in rows if row.file_id in files])}
    return some.get(anchor.codec, anchor), some.get(curve.codec, curve)


def _both(anchor: Curve, curve: Curve, measure: str) -> tuple[Any, Any]:
    return anchor.pairs(measure), curve.pairs(measure)
