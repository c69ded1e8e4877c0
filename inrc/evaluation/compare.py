"""Every codec against an anchor, on mean curves and file by file."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from inrc.errors import SignalError
from inrc.evaluation.bdrate import bd_psnr, bd_rate, interval
from inrc.evaluation.curves import Curve, curves, per_file
from inrc.evaluation.results import Result


def compare(rows: Sequence[Result], anchor: str, measure: str = "psnr") -> list[dict[str, Any]]:
    """Deltas of all codecs except the anchor, as plain values.

    `bd_rate` (per cent) and `bd_quality` are those of the mean curves over the `shared` files that
    both codecs were measured on; `overlap` is the share of the range that both curves have.
    `bd_quality` is None if the rates do not overlap. `files` is the number of files whose own
    curves overlap; `mean` and `interval` are those of their rate deltas. `why` is the reason if
    there are no deltas, else None.

    Raises SignalError if the anchor has no curve.
    """
    whole = {curve.codec: curve for curve in curves(rows)}
    if anchor not in whole:
        raise SignalError(f"{anchor}: no setting has results for all files; evaluate again")
    files = sorted({row.file_id for row in rows})
    own = {file: {curve.codec: curve for curve in per_file(rows, file)} for file in files}
    entries = []
    for name, curve in whole.items():
        if name == anchor:
            continue
        deltas = []
        for each in own.values():
            if name in each and anchor in each:
                try:
                    deltas.append(bd_rate(*_both(each[anchor], each[name], measure)).value)
                except SignalError:
                    continue  # the curves of this file do not overlap
        entries.append(_delta(*_shared(rows, whole[anchor], curve), measure, deltas))
    return entries


def _delta(anchor: Curve, curve: Curve, measure: str, deltas: list[float]) -> dict[str, Any]:
    shared = len(set(anchor.files) & set(curve.files))
    entry: dict[str, Any] = {
        "codec": curve.codec, "why": None, "files": len(deltas), "shared": shared,
    }  # fmt: skip
    if not shared:
        return entry | {"why": "no files in common with the anchor"}
    try:
        pair = _both(anchor, curve, measure)
        rate = bd_rate(*pair)
    except SignalError as error:
        return entry | {"why": str(error)}
    try:
        quality = bd_psnr(*pair).value
    except SignalError:  # the rates do not overlap
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
    """Both curves over the files that both have."""
    files = set(anchor.files) & set(curve.files)
    if not files or anchor.files == curve.files:
        return anchor, curve
    some = {each.codec: each for each in curves([row for row in rows if row.file_id in files])}
    return some.get(anchor.codec, anchor), some.get(curve.codec, curve)


def _both(anchor: Curve, curve: Curve, measure: str) -> tuple[Any, Any]:
    return anchor.pairs(measure), curve.pairs(measure)
