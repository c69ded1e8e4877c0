"""Place and size of the cube of a shape, in four small integers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.files import explained
from inrc_modalities.sdf import points
from inrc_modalities.sdf.distance import oriented
from inrc_modalities.sdf.mesh import Mesh, load

FILL = 0.9
"""Half the longest side of a mesh, at most, in a cube that reaches from -1 to 1: around it there is
room for a rounded centre (1/128) and for a few cells that are outside."""
_STEPS = 32  # sizes per factor of two: the mesh is at most 3 % smaller than FILL
_CHECKED = 8192  # points at which a mesh is checked, a tenth of the cube apart
_CENTRES = 64  # positions of a centre per half side of the cube
_MAX_SIZE = 32 * 1000  # float64 ends at 2^1024
_MAX_CENTRE = 1 << 48  # beyond this, float64 would not tell the vertices of a mesh apart


@dataclass(frozen=True)
class Place:
    """The cube [-1, 1]^3 of a shape: `x = unit * (centre / 64 + cube)`.

    Size and centre are rounded to few bits *before* they are used, so that rounding loses nothing:
    unit = (1 + size % 32 / 32) * 2^(size // 32).
    """

    centre: tuple[int, int, int]
    size: int

    @classmethod
    def around(cls, mesh: Mesh) -> "Place":
        """The smallest such cube of which a mesh fills at most FILL.

        Raises:
            SignalError: a mesh that is too small for its distance from the origin.
        """
        low, high = mesh.bounds
        with np.errstate(over="ignore"):
            least = float((high - low).max()) / 2.0 / FILL
        if not 2.0**-900 < least < 2.0**900:
            raise SignalError("coordinates too small or too large; scale the mesh first")
        fraction, power = math.frexp(least)  # least = fraction * 2^power, fraction in [1/2, 1)
        step = math.ceil((2.0 * fraction - 1.0) * _STEPS)
        size = (power - 1) * _STEPS + step
        centres = np.rint((low / 2.0 + high / 2.0) / cls((0, 0, 0), size).unit * _CENTRES)
        if np.abs(centres).max() > _MAX_CENTRE:
            raise SignalError("too small for its distance from the origin; move it there")
        x, y, z = (int(c) for c in centres)
        return cls((x, y, z), size)

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> "Place":
        """Of a header, checked.

        Raises:
            SignalError: a header that no shape can have.
        """
        place = meta.get("place")
        if (
            not isinstance(place, list | tuple)
            or len(place) != 4
            or not all(type(n) is int for n in place)
            or any(abs(n) > _MAX_CENTRE for n in place[:3])
            or abs(place[3]) > _MAX_SIZE
        ):
            raise SignalError(f"sdf: invalid header ({dict(meta)!r:.80}); the file is damaged")
        return cls((place[0], place[1], place[2]), place[3])

    @property
    def plain(self) -> list[int]:
        """For a header."""
        return [*self.centre, self.size]

    @property
    def unit(self) -> float:
        """Half a side of the cube, in the units of the file."""
        return math.ldexp(1.0 + self.size % _STEPS / _STEPS, self.size // _STEPS)

    @property
    def middle(self) -> NDArray[np.float64]:
        """Centre of the cube, in the units of the file."""
        return np.array(self.centre, np.float64) / _CENTRES * self.unit

    def inward(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """From the units of the file to the cube."""
        return (points - self.middle) / self.unit

    def outward(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """From the cube to the units of the file."""
        return points * self.unit + self.middle


def placed(path: Path) -> tuple[Mesh, Place]:
    """A mesh moved into its cube, checked to have an inside.

    Raises:
        SignalError: with the file's name, what `load`, `Place.around` and `oriented` refuse.
    """
    mesh = load(path)
    with explained(path, "a mesh with an inside"):
        place = Place.around(mesh)
        inside = Mesh(place.inward(mesh.vertices), mesh.faces)
        return oriented(inside, points.space(_CHECKED, 0)), place
