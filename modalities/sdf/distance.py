"""Signed distances to a mesh, and whether it has an inside at all."""

import igl
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.sdf.mesh import Mesh

CLEAR = 0.25
"""A winding number farther than this from a whole one says neither inside nor outside."""
UNCLEAR_SHARE = 0.2
"""Of the points that a mesh winds around by more than CLEAR, so many may be unclear: a cube without
its lid has 43 %, a scan with a few small holes under 5 %."""


def signed(mesh: Mesh, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances to the nearest point of a mesh, negative inside, at points N 3.

    Inside is where the generalised winding number (Jacobson et al. 2013; fast form, Barill et al.
    2018) exceeds one half: small holes, overlaps, doubled and flipped faces do not matter.
    """
    squared = igl.point_mesh_squared_distance(points, mesh.vertices, mesh.faces)[0]
    inside = winding(mesh, points) > 0.5
    distance: NDArray[np.float64] = np.sqrt(squared)
    return np.where(inside, -distance, distance)


def winding(mesh: Mesh, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """How often a mesh winds around points N 3: 1 inside, 0 outside, between where it is open."""
    found: NDArray[np.float64] = igl.fast_winding_number(mesh.vertices, mesh.faces, points)
    return found


def oriented(mesh: Mesh, points: NDArray[np.float64]) -> Mesh:
    """The mesh with its faces turned outward as a whole, checked at points to have an inside.

    Raises:
        SignalError: the winding number is near a whole one at too few points, or at none inside.
    """
    wound = winding(mesh, points)
    if (wound < -0.5).sum() > (wound > 0.5).sum():
        mesh = Mesh(mesh.vertices, np.ascontiguousarray(mesh.faces[:, ::-1]))
        wound = -wound
    touched = np.abs(wound) > CLEAR
    unclear = touched & (np.abs(wound - np.rint(wound)) > CLEAR)
    share = unclear.sum() / max(int(touched.sum()), 1)
    if share > UNCLEAR_SHARE:
        raise SignalError(
            f"inside is undefined: the surface is open ({share:.0%} of the points that it winds "
            f"around are neither in nor out); close its holes"
        )
    if not (wound > 0.5).any():
        raise SignalError(
            "inside is undefined: no point is inside; the surface is open, turned both ways, or "
            "thinner than the points are apart"
        )
    return mesh
