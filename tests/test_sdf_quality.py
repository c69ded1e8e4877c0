"""Shapes: measures, baselines and pictures."""

import math
from pathlib import Path

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray
from sdf_files import SMALL, ball, body, decoded, opened, ring, stored

from inrc.signal import View
from inrc_modalities.sdf import SDF, quality, render
from inrc_modalities.sdf.distance import signed
from inrc_modalities.sdf.mesh import Mesh, load

REAL = sorted((Path(__file__).parents[2] / "shared" / "data" / "sdf").glob("*.ply"))


def test_measures_of_two_balls_are_those_of_geometry() -> None:
    fine = body(trimesh.creation.icosphere(subdivisions=5))
    bigger = Mesh(fine.vertices * 1.1, fine.faces)
    measures = quality.measure(fine, bigger)
    diagonal = 2 * math.sqrt(3)
    assert measures["psnr"] == pytest.approx(20 * math.log10(diagonal / 0.1), abs=0.05)
    assert measures["chamfer"] == pytest.approx(0.1 / diagonal, rel=0.01)
    assert measures["iou"] == pytest.approx(1 / 1.1**3, abs=0.02)
    assert measures["normal_consistency"] == pytest.approx(1.0, abs=1e-3)
    assert quality.measure(fine, fine)["iou"] == 1.0
    assert quality.measure(fine, fine)["psnr"] > 200


def test_distances_agree_with_another_library() -> None:
    mesh = ring()
    where = np.random.default_rng(0).uniform(-1.5, 1.5, (300, 3))
    around = np.hypot(where[:, 0], where[:, 1]) - 1.0
    exact = np.hypot(around, where[:, 2]) - 0.4  # the smooth ring
    assert np.abs(signed(mesh, where) - exact).max() < 0.03
    other = trimesh.Trimesh(mesh.vertices, mesh.faces)
    nearest = trimesh.triangles.closest_point(
        np.repeat(other.triangles, 5, 0), np.tile(where[:5], (len(mesh.faces), 1))
    )
    gaps = np.linalg.norm(nearest - np.tile(where[:5], (len(mesh.faces), 1)), axis=1)
    assert np.allclose(gaps.reshape(-1, 5).min(0), np.abs(signed(mesh, where[:5])), atol=1e-9)


def test_draco_counts_and_restores(tmp_path: Path) -> None:
    pytest.importorskip("DracoPy")
    (draco,) = SMALL.baselines()
    path = stored(ball(), tmp_path / "a.ply")
    sizes, psnrs = [], []
    for bits in (6.0, 11.0):
        data = draco.encode(path, bits)
        assert data[:5] == b"DRACO"
        draco.decode(data, path, tmp_path / "b.ply")
        sizes.append(len(data))
        psnrs.append(SMALL.measure(path, tmp_path / "b.ply")["psnr"])
        assert opened(tmp_path / "b.ply").is_watertight
    assert sizes[0] < sizes[1] < path.stat().st_size and psnrs[0] + 20 < psnrs[1]


def test_pictures_show_a_ball_where_it_is(tmp_path: Path) -> None:
    path = stored(ball(), tmp_path / "a.ply")
    first, second = SMALL.picture(path, path)
    image: NDArray[np.float64] = first["image"]
    assert image.shape == (render.SIDE, render.SIDE, 3) and 0 <= image.min() <= image.max() <= 1
    assert np.array_equal(image, second["image"])
    drawn = (image < 1).any(-1)
    radius = render.SIDE / 2 / (0.52 * 2 * math.sqrt(3))
    assert drawn.sum() == pytest.approx(math.pi * radius**2, rel=0.02)
    assert not drawn[0].any() and drawn[render.SIDE // 2, render.SIDE // 2]


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_real_meshes_are_rebuilt_closed(tmp_path: Path, path: Path) -> None:
    if path.stat().st_size > 500_000:
        pytest.skip("takes long")
    modality = SDF(samples=960, resolution=64)
    signal, _ = decoded(modality, path, View())
    modality.write(signal, tmp_path / "a.ply")
    rebuilt = opened(tmp_path / "a.ply")
    assert rebuilt.is_watertight and abs(rebuilt.volume / load(path).volume - 1) < 0.02
    assert modality.measure(path, tmp_path / "a.ply")["iou"] > 0.98
