"""Shaded pictures of meshes: triangles, drawn from the farthest to the nearest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc_modalities.sdf.mesh import Mesh

SIDE = 320
_LIGHT = np.array([0.35, 0.45, 0.82])  # right, up, towards the eye
_COLOUR = np.array([0.66, 0.73, 0.85])


@dataclass(frozen=True)
class Eye:
    """A camera without perspective, along -z after turning; `reach` is half the picture."""

    turn: NDArray[np.float64]
    middle: NDArray[np.float64]
    reach: float

    @classmethod
    def on(cls, mesh: Mesh, azimuth: float = 0.6, height: float = 0.35) -> "Eye":
        """Look at a mesh from the front (z), a little from the right and from above (radians)."""
        c, s = np.cos(-azimuth), np.sin(-azimuth)
        about = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        c, s = np.cos(height), np.sin(height)
        over = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
        low, high = mesh.bounds
        return cls(over @ about, (low + high) / 2, 0.52 * mesh.diagonal)


def shade(mesh: Mesh, eye: Eye, side: int = SIDE) -> NDArray[np.float64]:
    """A picture `side` `side` 3 in [0, 1] on white; both sides of a face look alike."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # takes long to import
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    corners = ((mesh.vertices - eye.middle) @ eye.turn.T / eye.reach)[mesh.faces]  # N 3 3
    corners = corners[np.argsort(corners[:, :, 2].mean(1))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    normals *= np.where(normals[:, 2:] < 0, -1.0, 1.0)
    bright = 0.25 + 0.75 * np.clip(normals @ _LIGHT, 0.0, 1.0)
    figure = Figure(figsize=(1, 1), dpi=side)
    canvas: Any = FigureCanvasAgg(figure)  # without types
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-1, 1), ylim=(-1, 1))
    axes.set_axis_off()
    # thin edges: without them, soft borders would let the ground shine through
    shades, width = bright[:, None] * _COLOUR, 30.0 / side
    triangles = PolyCollection(
        list(corners[:, :, :2]), facecolors=shades, edgecolors="face", linewidths=width
    )
    axes.add_collection(triangles)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255.0
