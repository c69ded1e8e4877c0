"""How good a decoded mesh is beside its original."""

import igl
import numpy as np
import torch
from numpy.typing import NDArray

from inrc import metrics
from inrc_modalities.sdf.distance import winding
from inrc_modalities.sdf.mesh import Mesh
from inrc_modalities.sdf.points import surface

SURFACE, SPACE = 20_000, 20_000
"""Points on each surface, and in space."""
SEED = 0


def measure(original: Mesh, decoded: Mesh) -> dict[str, float]:
    """Compare two surfaces, by points spread evenly over either; always the same points.

    The distance of a point is that to the nearest place of the other *surface*, not to the nearest
    of its points, which would end at the distance between points (about 50 dB). Lengths are in
    diagonals of the original's bounding box.

    Returns `psnr` in dB, 10 log10(1 / mse), mse the mean squared distance, of the two directions
    the larger (as D1 of MPEG's point clouds, N16763, with the diagonal as peak); `chamfer`, the
    mean distance, averaged over both directions (L1 Chamfer distance of Occupancy Networks,
    arXiv:1812.03828); `normal_consistency`, the mean |cosine| between normals, both directions
    (there, too); and `iou`, intersection over union of the insides (winding numbers above one
    half), at points in the box around both.
    """
    forth = _towards(original, decoded)
    back = _towards(decoded, original)
    diagonal = original.diagonal
    square = max(float(np.mean((d / diagonal) ** 2)) for d, _ in (forth, back))
    return {
        "psnr": metrics.psnr(np.zeros(1), np.full(1, square**0.5), 1.0),
        "chamfer": float(np.mean([np.mean(d) / diagonal for d, _ in (forth, back)])),
        "normal_consistency": float(np.mean([np.mean(c) for _, c in (forth, back)])),
        "iou": iou(original, decoded),
    }


def iou(one: Mesh, two: Mesh) -> float:
    """Share of the points inside either mesh that are inside both; 0 without such points."""
    low = np.minimum(one.bounds[0], two.bounds[0])
    high = np.maximum(one.bounds[1], two.bounds[1])
    numbers = torch.quasirandom.SobolEngine(3, scramble=True, seed=SEED).draw(SPACE)
    points = low + (high - low) * numbers.double().numpy()
    a, b = (_inside(mesh, points) for mesh in (one, two))
    return float((a & b).sum() / max(int((a | b).sum()), 1))


def _inside(mesh: Mesh, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    wound = winding(mesh, points)
    return wound < -0.5 if mesh.volume < 0 else wound > 0.5


def _towards(one: Mesh, two: Mesh) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances of points of one surface to another, and |cosine| of the normals there."""
    numbers = torch.quasirandom.SobolEngine(3, scramble=True, seed=SEED).draw(SURFACE)
    points, normals = surface(one, numbers.double().numpy())
    squared, nearest, _ = igl.point_mesh_squared_distance(points, two.vertices, two.faces)
    a, b, c = two.vertices[two.faces[nearest]].transpose(1, 0, 2)
    others = np.cross(b - a, c - a)
    others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-300)
    return np.sqrt(squared), np.abs((normals * others).sum(1))
