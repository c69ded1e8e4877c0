"""Shapes: meshes to distances and back."""

import math
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sdf_files import QUICK, SMALL, ball, decoded, opened, ring, stored, truth
from torch import Tensor

from inrc.errors import SignalError
from inrc.signal import View
from inrc.testing import check_modality
from inrc_modalities.sdf import SDF, points
from inrc_modalities.sdf.distance import signed
from inrc_modalities.sdf.mesh import SUFFIXES, Mesh, load
from inrc_modalities.sdf.place import FILL, Place, placed


@pytest.mark.parametrize("field", ["distance", "occupancy"])
def test_the_law(tmp_path: Path, field: str) -> None:
    (tmp_path / "in").mkdir()
    modality = SDF(
        samples=480, near=0.25, resolution=20, truncation=0.4, field=field, emphasis=4.0, seed=3
    )
    paths = [
        stored(ball(), tmp_path / "in" / "ball.ply"),
        stored(ring(), tmp_path / "in" / "ring.stl"),
        stored(ball(1e-4, (0.0, 0.0, 7.0)), tmp_path / "in" / "tiny.off"),
    ]
    quads = "\n".join(
        [f"v {x} {y} {z}" for x in (0, 2) for y in (0, 1) for z in (0, 1)]
        + ["o box", "f 1 2 4 3", "f 5 7 8 6", "f 1 5 6 2", "f 3 4 8 7", "f 1 3 7 5", "f 2 6 8 4"]
    )
    (tmp_path / "in" / "quads.obj").write_text(quads)
    paths.append(tmp_path / "in" / "quads.obj")
    check_modality(modality, paths, tmp_path / "law", truth=truth(modality))


def test_a_codec_without_a_trainer_can_import_it() -> None:
    code = "import sys, inrc_modalities.sdf; sys.exit('lightning' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_features_are_the_distances_of_a_ball(tmp_path: Path) -> None:
    path = stored(ball(2.0), tmp_path / "a.ply")
    for field in ("distance", "occupancy"):
        modality = SDF(samples=2000, near=0.5, truncation=0.3, field=field)
        signal = modality.read(path)
        place = Place.of(signal.meta)
        where = place.outward(signal.queries[0].double().numpy())
        exact = (np.linalg.norm(where - [5.0, -3.0, 1.0], axis=1) - 2.0) / place.unit
        features = signal.features[0, :, 0].numpy()
        if field == "distance":
            wanted = np.clip(exact, -0.3, 0.3) / 0.6 + 0.5
            # an icosphere of 642 vertices is within half a per cent of the ball
            assert np.abs(features - wanted).max() < 0.01
        else:
            clear = np.abs(exact) > 0.01
            assert np.array_equal(features[clear], (exact < 0)[clear])
        assert signal.weights is None


def test_points_are_shared_in_space_and_near_each_surface(tmp_path: Path) -> None:
    one, two = stored(ball(), tmp_path / "a.ply"), stored(ring(), tmp_path / "b.ply")
    apart = SDF(samples=500, near=0.0)
    first, second = apart.read(one), apart.read(two)
    assert first.shape == (528,)  # the next multiple of 48
    assert apart.num_units(first.shape) == 1 and apart.unit == "shape"
    assert torch.equal(first.queries, second.queries)
    assert not torch.equal(first.queries, SDF(samples=500, near=0.0, seed=1).read(one).queries)
    octants = torch.bincount(((first.queries[0] > 0) * torch.tensor([1, 2, 4])).sum(1))
    assert octants.tolist() == [66] * 8
    close = SDF(samples=400, near=1.0, truncation=1.0)
    signal = close.read(one)
    assert signal.shape == (400,)
    distance = (signal.features[0, :, 0] - 0.5).abs() * 2.0
    for number, scale in enumerate(points.SCALES):
        spread = distance[number :: len(points.SCALES)]
        assert 0.4 * scale < spread.mean() < 1.1 * scale  # the mean of a half-normal: 0.8


def test_emphasis_weighs_the_surface(tmp_path: Path) -> None:
    path = stored(ball(), tmp_path / "a.ply")
    signal = SDF(samples=960, near=0.0, truncation=0.2, emphasis=5.0).read(path)
    assert signal.weights is not None
    distance = (signal.features[0, :, 0] - 0.5).abs() * 0.4
    assert torch.allclose(signal.weights[0], 1 + 4 * (1 - distance / 0.2), atol=1e-4)
    assert signal.weights.min() == 1.0 and signal.weights.max() > 4.0


@pytest.mark.parametrize("turn", [0, 1, 7, 13, 25, 38, 47])
def test_turned_features_are_those_of_the_turned_mesh(turn: int) -> None:
    mesh = ring()
    mesh = Mesh(mesh.vertices * [0.5, 0.4, 0.6] + [0.1, 0.2, -0.1], mesh.faces)
    order, sign = points._symmetries()[turn]
    moved = Mesh(mesh.vertices[:, order] * sign, mesh.faces)
    if moved.volume < 0:
        moved = Mesh(moved.vertices, moved.faces[:, ::-1].copy())
    where = points.space(960, 0)
    index = points.turned(960, turn)
    assert np.allclose(signed(mesh, where)[index], signed(moved, where), atol=1e-9)
    assert turn == 0 or not np.array_equal(index, np.arange(960))


@QUICK
@given(
    low=st.tuples(*[st.floats(-1e6, 1e6)] * 3),
    side=st.tuples(*[st.floats(1e-3, 1e6)] * 3),
)
def test_every_mesh_fits_its_cube(
    low: tuple[float, float, float], side: tuple[float, float, float]
) -> None:
    corners = np.array(low) + np.array(side) * np.array([[0, 0, 0], [1, 1, 1], [0, 1, 1.0]])
    mesh = Mesh(corners, np.array([[0, 1, 2]]))
    place = Place.around(mesh)
    inside = place.inward(mesh.vertices)
    assert np.abs(inside).max() <= FILL + 1 / 128 + 1e-6
    # full but for 3 % of rounding
    assert (inside.max(0) - inside.min(0)).max() >= 2 * FILL / (1 + 1 / 32) - 1e-6
    assert Place.of({"place": place.plain}) == place
    back = place.outward(inside)
    assert np.allclose(back, mesh.vertices, rtol=1e-12, atol=1e-9 * max(side))


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {"place": [0, 0, 0]},
        {"place": [0, 0, 0, 0.5]},
        {"place": [0, 0, True, 0]},
        {"place": [0, 0, 1 << 60, 0]},
        {"place": [0, 0, 0, 1 << 40]},
        {"place": "abcd"},
        {"place": [0, 0, 0, 0], "faces": b"abc", "vertices": 3},
        {"place": [0, 0, 0, 0], "faces": struct.pack("<3i", 0, 1, 3), "vertices": 3},
        {"place": [0, 0, 0, 0], "faces": struct.pack("<3i", 0, 1, -1), "vertices": 3},
        {"place": [0, 0, 0, 0], "faces": b"", "vertices": 1 << 60},
    ],
)
def test_headers_that_no_shape_has_are_refused(meta: dict[str, object]) -> None:
    with pytest.raises(SignalError, match="invalid"):
        SMALL.shape(meta)


@pytest.mark.parametrize("field", ["distance", "occupancy"])
@pytest.mark.parametrize("make", [ball, ring])
def test_rebuilt_meshes_are_closed_and_look_outward(
    tmp_path: Path, make: Callable[[], Mesh], field: str
) -> None:
    path = stored(make(), tmp_path / "a.ply")
    modality = SDF(resolution=40 if field == "distance" else 64, field=field)
    signal, asked = decoded(modality, path, View())
    answer = truth(modality)(path)
    plan = modality.plan_queries(signal.meta, View())
    dense = modality.join(answer(plan.queries), signal.meta, View())
    assert dense.meta == signal.meta and torch.equal(dense.queries, signal.queries)
    assert sum(asked) < plan.queries.shape[1]
    for suffix in SUFFIXES:
        out = tmp_path / f"b{suffix}"
        modality.write(signal, out)
        rebuilt = opened(out)
        assert rebuilt.is_watertight and rebuilt.is_winding_consistent
        volume = load(path).volume
        assert abs(rebuilt.volume - volume) < (0.01 if field == "distance" else 0.05) * volume
        assert rebuilt.euler_number == (2 if make is ball else 0)


def test_a_fine_grid_is_asked_at_less_than_a_tenth_of_its_points(tmp_path: Path) -> None:
    path = stored(ball(), tmp_path / "a.ply")
    modality = SDF(resolution=128)
    place = placed(path)[1]

    def exact(queries: Tensor) -> Tensor:  # a true ball, quicker than a mesh
        where = place.outward(queries[0].double().numpy())
        distance = (np.linalg.norm(where - [5.0, -3.0, 1.0], axis=1) - 2.0) / place.unit
        return torch.from_numpy(modality.kind.feature(distance)).float()[None, :, None]

    signal, asked = decoded(modality, path, View(scale=2.0), exact)
    share = sum(asked) / 257**3
    print(f"256^3: {sum(asked)} points, {share:.1%} of dense")
    assert share < 0.1
    where = Place.of(signal.meta).outward(signal.queries[0].double().numpy())
    off = np.linalg.norm(where - [5.0, -3.0, 1.0], axis=1) - 2.0
    # linear interpolation of a distance: (cell / 2)^2 / 2 / radius, and float32 answers
    assert np.abs(off).max() < 2 * (2.0 / 256 * place.unit) ** 2 / 8 / 2.0 + 1e-5


def test_an_untrue_field_is_followed_until_it_is_closed(tmp_path: Path) -> None:
    """Distances that grow too fast would lose the surface between coarse blocks."""
    path = stored(ball(), tmp_path / "a.ply")
    modality = SDF(resolution=64)
    honest = truth(modality)(path)
    signal, _ = decoded(modality, path, View(), lambda q: 0.5 + 6.0 * (honest(q) - 0.5))
    modality.write(signal, tmp_path / "b.ply")
    rebuilt = opened(tmp_path / "b.ply")
    assert rebuilt.is_watertight
    assert abs(rebuilt.volume / load(path).volume - 1) < 0.02


def test_noise_is_a_closed_mesh_too(tmp_path: Path) -> None:
    path = stored(ball(), tmp_path / "a.ply")
    modality = SDF(resolution=36)  # blocks of marching cubes meet in it
    random = torch.Generator().manual_seed(0)
    signal, _ = decoded(
        modality, path, View(), lambda q: torch.rand(1, q.shape[1], 1, generator=random)
    )
    faces = np.frombuffer(signal.meta["faces"], "<i4").reshape(-1, 3)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there = np.unique(edges, axis=0, return_counts=True)
    back = np.unique(edges[:, ::-1], axis=0, return_counts=True)
    assert np.array_equal(there[0], back[0]) and np.array_equal(there[1], back[1])


@pytest.mark.parametrize("level", [0.0, 1.0, math.nan])
def test_a_useless_field_is_a_speck_or_a_cube(tmp_path: Path, level: float) -> None:
    path = stored(ball(), tmp_path / "a.ply")
    for modality in (SDF(resolution=16), SDF(resolution=16, field="occupancy")):
        signal, _ = decoded(modality, path, View(), lambda q: torch.full((1, q.shape[1], 1), level))
        modality.write(signal, tmp_path / "b.ply")
        assert opened(tmp_path / "b.ply").is_watertight
        measures = modality.measure(path, tmp_path / "b.ply")
        assert measures["psnr"] < 30 and all(map(math.isfinite, measures.values()))
