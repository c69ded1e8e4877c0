"""What tests of shapes share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import trimesh
from hypothesis import HealthCheck, settings
from torch import Tensor

from inrc.signal import Signal, View
from inrc_modalities.sdf import SDF
from inrc_modalities.sdf.distance import signed
from inrc_modalities.sdf.mesh import Mesh, save
from inrc_modalities.sdf.place import placed

QUICK = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


SMALL = SDF(samples=480, near=0.25, resolution=24, truncation=0.4)


def body(made: trimesh.Trimesh) -> Mesh:
    return Mesh(np.array(made.vertices, np.float64), np.array(made.faces, np.int64))


def ball(radius: float = 2.0, at: tuple[float, float, float] = (5.0, -3.0, 1.0)) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    return body(made.apply_translation(at))


def ring() -> Mesh:
    return body(trimesh.creation.torus(1.0, 0.4, major_sections=24, minor_sections=12))


def stored(mesh: Mesh, path: Path) -> Path:
    save(mesh, path)
    return path


def truth(modality: SDF) -> Callable[[Path], Callable[[Tensor], Tensor]]:
    """Answers a field without error would give: distances of libigl, in float64."""

    def of(path: Path) -> Callable[[Tensor], Tensor]:
        mesh, _ = placed(path)

        def answer(queries: Tensor) -> Tensor:
            distance = signed(mesh, queries[0].double().numpy())
            return torch.from_numpy(modality.kind.feature(distance)).float()[None, :, None]

        return answer

    return of


def decoded(
    modality: SDF, path: Path, view: View, answer: Callable[[Tensor], Tensor] | None = None
) -> tuple[Signal, list[int]]:
    """What a field without error is rebuilt to, and how many points each Ask has."""
    answer = answer or truth(modality)(path)
    _, place = placed(path)
    reconstruction = modality.reconstruct({"place": place.plain}, view)
    plan = next(reconstruction)
    asked = []
    try:
        while True:
            asked.append(plan.queries.shape[1])
            plan = reconstruction.send(answer(plan.queries))
    except StopIteration as end:
        assert isinstance(end.value, Signal)
        return end.value, asked


def opened(path: Path) -> trimesh.Trimesh:
    """As another program sees a file: STL has no shared vertices, its reader joins them."""
    loaded = trimesh.load_mesh(path, process=False)
    if path.suffix == ".stl":
        loaded.merge_vertices()
    return loaded
