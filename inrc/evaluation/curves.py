"""Rows to curves: what a codec's settings cost and give, in the mean over files."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from inrc.errors import SignalError
from inrc.evaluation.rows import Result


@dataclass(frozen=True)
class Point:
    """One setting: its rate in bits per unit, and every measure."""

    setting: float
    rate: float
    bytes: float
    measures: dict[str, float]
    encode_seconds: float
    decode_seconds: float


@dataclass(frozen=True)
class Curve:
    """Points of one codec in order of their rates, and the files that they are the mean of."""

    codec: str
    unit: str
    files: tuple[str, ...]
    points: tuple[Point, ...]

    def pairs(self, measure: str) -> tuple[list[float], list[float]]:
        """Rates, and the values of one measure.

        Raises SignalError if the codec was not judged by it.
        """
        try:
            return [p.rate for p in self.points], [p.measures[measure] for p in self.points]
        except KeyError:
            known = ", ".join(self.points[0].measures)
            raise SignalError(f"{self.codec}: no measure {measure!r}; there are {known}") from None


def curves(rows: Sequence[Result], ours: str = "inrc") -> list[Curve]:
    """One curve for every codec, ours first, then by name.

    A point is the mean over all files, so settings that some of the codec's files lack are left
    out: means of different files are not compared.
    """
    by_codec: dict[str, dict[float, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.error is None:
            name = row.codec if row.model is None else f"{row.codec} {row.model[:4]}"
            by_codec[name][row.setting].append(row)
    several = len({row.model for row in rows if row.model}) > 1
    found = []
    for name, settings in by_codec.items():
        label = name if several else name.rsplit(" ", 1)[0] if _is_ours(settings) else name
        found.append(_curve(label, settings))
    return sorted(
        (curve for curve in found if curve.points),
        key=lambda curve: (not curve.codec.startswith(ours), curve.codec),
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
        latest = {row.file_id: row for row in rows}  # a later row of the same trial counts
        if sorted(latest) != files:
            continue
        same = list(latest.values())
        shared = set.intersection(*(set(row.measures) for row in same))
        points.append(
            Point(
                setting,
                fmean(row.rate for row in same),
                fmean(row.bytes for row in same),
                {
                    key: fmean(row.measures[key] for row in same)
                    for key in same[0].measures
                    if key in shared
                },
                fmean(row.encode_seconds for row in same),
                fmean(row.decode_seconds for row in same),
            )
        )
    first = next(iter(settings.values()))[0]
    return Curve(
        name, first.unit, tuple(files), tuple(sorted(points, key=lambda point: point.rate))
    )
