"""What the values of a field mean: the distance of the surface, or only what is inside."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError

MARGIN = 1.5
"""A decoded distance may grow so many times as fast as a true one and no surface is missed."""


class Kind(ABC):
    """Distances to features near [0, 1], and features to values that are negative inside."""

    name: ClassVar[str]

    def __init__(self, truncation: float) -> None:
        self.truncation = truncation

    @abstractmethod
    def feature(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a field should answer where the signed distance is this; 1/2 on the surface."""

    @abstractmethod
    def value(self, feature: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signed value of an answer: 0 on the surface, negative inside."""

    @abstractmethod
    def reach(self, radius: float) -> float:
        """A surface may be within `radius` where |value| is no more than this; inf: always."""

    @abstractmethod
    def change(self, step: float) -> float:
        """How much a value changes over a step of this length, across the surface."""


class Distance(Kind):
    """Signed distance, cut at +-`truncation` and mapped to 0 (inside) to 1 (outside)."""

    name = "distance"

    def feature(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        t = self.truncation
        return np.clip(distance, -t, t) / (2.0 * t) + 0.5

    def value(self, feature: NDArray[np.float64]) -> NDArray[np.float64]:
        return (feature - 0.5) * (2.0 * self.truncation)

    def reach(self, radius: float) -> float:
        # a distance that is cut cannot exclude what lies beyond
        return MARGIN * radius if MARGIN * radius < self.truncation else math.inf

    def change(self, step: float) -> float:
        return step


class Occupancy(Kind):
    """1 inside, 0 outside (Occupancy Networks, arXiv:1812.03828)."""

    name = "occupancy"

    def feature(self, distance: NDArray[np.float64]) -> NDArray[np.float64]:
        return (distance < 0).astype(np.float64)

    def value(self, feature: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.5 - feature

    def reach(self, radius: float) -> float:
        return 0.0  # occupancy tells no distance: a surface is only where it changes

    def change(self, step: float) -> float:
        return 1.0


KINDS: dict[str, type[Kind]] = {kind.name: kind for kind in (Distance, Occupancy)}


def kind(name: str, truncation: float) -> Kind:
    """The kind of this name.

    Raises:
        SignalError: unknown, or a truncation that is not positive or wider than the cube.
    """
    if name not in KINDS:
        raise SignalError(f"sdf: field {name!r}; give {' or '.join(KINDS)}")
    if not 0.0 < truncation <= 2.0:
        raise SignalError(f"sdf: truncation {truncation}; give a part of the half cube, 0 to 2")
    return KINDS[name](truncation)
