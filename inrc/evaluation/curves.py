"""Results to rate-distortion curves: means over files for every setting of a codec."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from inrc.errors import SignalError
from inrc.evaluation.results import CODEC_NAME, Result
from inrc.metrics import mean_measures


@dataclass(frozen=True)
class Point:
    """One setting: its mean rate in bits per unit, and every mean measure.

    A measure is NaN if its mean is undefined, see `inrc.metrics.mean`.
    """

    setting: float
    rate: float
    bytes: float
    measures: dict[str, float]
    encode_seconds: float
    decode_seconds: float


@dataclass(frozen=True)
class Curve:
    """Points of one codec in order of their rates, means over `files`."""

    codec: str
    unit: str
    files: tuple[str, ...]
    points: tuple[Point, ...]

    def pairs(self, measure: str) -> tuple[list[float], list[float]]:
        """Rates, and the values of one measure.

        Raises SignalError if the codec has no such measure.
        """
        try:
            return [p.rate for p in self.points], [p.measures[measure] for p in self.points]
        except KeyError:
            known = ", ".join(self.points[0].measures)
            raise SignalError(f"{self.codec}: no measure {measure!r}; use {known}") from None


def curves(rows: Sequence[Result]) -> list[Curve]:
    """One curve for every codec, ours first, then by name.

    A point is the mean over all files of the codec. Settings without a result for one of these
    files are left out: means over different files cannot be compared.
    """
    by_codec: dict[str, dict[float, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.error is None:
            name = row.codec if row.model is None else f"{row.codec} {row.model[:4]}"
            by_codec[name][row.setting].append(row)
    several = len({row.model for row in rows if row.model}) > 1
    drawn = []
    for name, settings in by_codec.items():
        label = name if several else name.rsplit(" ", 1)[0] if _is_ours(settings) else name
        drawn.append(_curve(label, settings))
    return sorted(
        (curve for curve in drawn if curve.points),
        key=lambda curve: (not curve.codec.startswith(CODEC_NAME), curve.codec),
    )


def per_file(rows: Iterable[Result], file_id: str) -> list[Curve]:
    """The curves of a single file."""
    return curves([row for row in rows if row.file_id == file_id])


def _is_ours(settings: dict[float, list[Result]]) -> bool:
    return next(iter(settings.values()))[0].model is not None


def _curve(name: str, settings: dict[float, list[Result]]) -> Curve:
    files = sorted({row.file_id for rows in settings.values() for row in rows})
    points = []
    for setting, rows in settings.items():
        latest = {row.file_id: row for row in rows}  # of results of the same trial, the last
        if sorted(latest) != files:
            continue
        same = list(latest.values())
        points.append(
            Point(
                setting,
                fmean(row.rate for row in same),
                fmean(row.bytes for row in same),
                mean_measures([row.measures for row in same]),
                fmean(row.encode_seconds for row in same),
                fmean(row.decode_seconds for row in same),
            )
        )
    first = next(iter(settings.values()))[0]
    return Curve(
        name, first.unit, tuple(files), tuple(sorted(points, key=lambda point: point.rate))
    )
