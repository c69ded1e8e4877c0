"""Signed distances to a mesh, and whether it has an inside at all."""

import igl
import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.sdf.mesh import Mesh

MAX_OFFSET = 0.25
"""A winding number farther than this from an integer means neither inside nor outside."""
MAX_UNCLEAR = 0.2
"""Share of such points among those around which a mesh winds by more than MAX_OFFSET. A cube
without a lid has 43 %, a scan with a few small holes under 5 %."""


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
    numbers: NDArray[np.float64] = igl.fast_winding_number(mesh.vertices, mesh.faces, points)
    return numbers


def oriented(mesh: Mesh, points: NDArray[np.float64]) -> Mesh:
    """The mesh with its faces turned outward as a whole, checked at points to have an inside.

    Raises:
        SignalError: the winding number is near an integer at too few points, or no point is inside.
    """
    wound = winding(mesh, points)
    if (wound < -0.5).sum() > (wound > 0.5).sum():
        mesh = Mesh(mesh.vertices, np.ascontiguousarray(mesh.faces[:, ::-1]))
        wound = -wound
    touched = np.abs(wound) > MAX_OFFSET
    unclear = touched & (np.abs(wound - np.rint(wound)) > MAX_OFFSET)
    share = unclear.sum() / max(int(touched.sum()), 1)
    if share > MAX_UNCLEAR:
        raise SignalError(
            f"inside is undefined: the surface is open ({share:.0%} of the points around which it "
            "winds are neither in nor out); close its holes"
        )
    if not (wound > 0.5).any():
        raise SignalError(
            "inside is undefined: no point is inside, because the surface is open, turned both "
            "ways or very thin; close it, and turn its faces outward"
        )
    return mesh
