"""Figures that papers published, with their sources: a compilation of our own.

Rates are as published; several are estimates without a bit stream, which `rate` says. They are of
whole data sets (all 24 Kodak images), which ours may not be.
"""

import json
from dataclasses import dataclass
from importlib.resources import files

from inrc.errors import UsageError


@dataclass(frozen=True)
class Published:
    """One published curve: rates in bits per `unit`, quality in dB."""

    method: str
    source: str
    unit: str
    measure: str
    rates: tuple[float, ...]
    quality: tuple[float, ...]


def names() -> list[str]:
    """The data sets that there are figures for."""
    folder = files(__package__)
    entries = (entry.name for entry in folder.iterdir())
    return sorted(name.removesuffix(".json") for name in entries if name.endswith(".json"))


def published(dataset: str) -> list[Published]:
    """All curves of a data set.

    Raises UsageError if there are none.
    """
    if dataset not in names():
        raise UsageError(f"no published figures of {dataset!r}; there are {', '.join(names())}")
    plain = json.loads((files(__package__) / f"{dataset}.json").read_text("utf-8"))
    return [
        Published(
            curve["method"],
            f"{curve['paper']}; {curve['source']}; {curve['rate']}",
            plain["unit"],
            plain["measure"],
            tuple(rate for rate, _ in curve["points"]),
            tuple(quality for _, quality in curve["points"]),
        )
        for curve in plain["curves"]
    ]
