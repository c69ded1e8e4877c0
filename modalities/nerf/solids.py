"""Translucent balls and boxes whose views have a closed form.

Every solid emits and absorbs evenly. Along a ray, density and colour are therefore constant
between the places where it enters or leaves a solid, and the rendering integral is a finite sum
(Max 1995). Silhouettes are soft, because a ray passes through little of a solid there.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Solid:
    """A ball or a box (turned about z), with its density per unit and its colour."""

    box: bool
    centre: Array  # 3
    size: Array  # half sides, or the radius three times
    turn: float
    density: float
    colour: Array  # 3

    def pierced(self, origin: Array, direction: Array) -> tuple[Array, Array]:
        """Where rays N 3 enter and leave; equal if they miss."""
        c, s = np.cos(self.turn), np.sin(self.turn)
        rotation = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        o = (origin - self.centre) @ rotation.T / self.size
        d = direction @ rotation.T / self.size
        if self.box:
            d = np.where(np.abs(d) < 1e-12, 1e-12, d)
            one, two = (-1.0 - o) / d, (1.0 - o) / d
            low, high = np.minimum(one, two).max(-1), np.maximum(one, two).min(-1)
        else:
            a, b = (d * d).sum(-1), (o * d).sum(-1)
            root = b * b - a * ((o * o).sum(-1) - 1.0)
            half = np.sqrt(np.maximum(root, 0.0))
            low, high = (-b - half) / a, (-b + half) / a
        low = np.maximum(low, 0.0)
        return low, np.maximum(high, low)


def seen(solids: list[Solid], origin: Array, direction: Array, background: Array) -> Array:
    """The colours N 3 that rays N 3 with unit directions see, without approximation."""
    pierced = [solid.pierced(origin, direction) for solid in solids]
    edges = np.sort(np.stack([edge for pair in pierced for edge in pair]), axis=0)  # E N
    light, through = np.zeros_like(origin), np.ones(len(origin))
    for begin, end in pairwise(edges):
        middle = 0.5 * (begin + end)
        density, emitted = np.zeros(len(origin)), np.zeros_like(origin)
        for solid, (low, high) in zip(solids, pierced, strict=True):
            inside = solid.density * ((low < middle) & (middle < high))
            density += inside
            emitted += inside[:, None] * solid.colour
        gone = -np.expm1(-density * (end - begin))
        light += (through * gone / np.maximum(density, 1e-12))[:, None] * emitted
        through = through * (1.0 - gone)
    return light + through[:, None] * background
