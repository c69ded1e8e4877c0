"""Shapes: meshes to distances and back, views, quality, and files that are none."""

import math
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from inrc.errors import SignalError
from inrc.signal import Signal, View
from inrc.testing import check_modality
from inrc_modalities.sdf import SDF, explore, kinds, points, quality, render
from inrc_modalities.sdf.distance import signed
from inrc_modalities.sdf.mesh import SUFFIXES, Mesh, load, save
from inrc_modalities.sdf.modality import placed
from inrc_modalities.sdf.place import FILL, Place

REAL = sorted((Path(__file__).parents[2] / "shared" / "data" / "sdf").glob("*.ply"))
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
    rebuild = modality.rebuild({"place": place.plain}, view)
    ask = next(rebuild)
    asked = []
    try:
        while True:
            asked.append(ask.queries.shape[1])
            ask = rebuild.send(answer(ask.queries))
    except StopIteration as end:
        assert isinstance(end.value, Signal)
        return end.value, asked


def opened(path: Path) -> trimesh.Trimesh:
    """As another program sees a file: STL has no shared vertices, its reader joins them."""
    found = trimesh.load_mesh(path, process=False)
    if path.suffix == ".stl":
        found.merge_vertices()
    return found


# --- the law -------------------------------------------------------------------------------------


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


# --- distances -----------------------------------------------------------------------------------


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
    assert apart.count(first.shape) == 1 and apart.unit == "shape"
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
    with pytest.raises(SignalError, match="header that no"):
        SMALL.shape(meta)


# --- rebuilding ----------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["distance", "occupancy"])
@pytest.mark.parametrize("make", [ball, ring])
def test_rebuilt_meshes_are_closed_and_look_outward(
    tmp_path: Path, make: Callable[[], Mesh], field: str
) -> None:
    path = stored(make(), tmp_path / "a.ply")
    modality = SDF(resolution=40 if field == "distance" else 64, field=field)
    signal, asked = decoded(modality, path, View())
    answer = truth(modality)(path)
    ask = modality.ask(signal.meta, View())
    dense = modality.join(answer(ask.queries), signal.meta, View())
    assert dense.meta == signal.meta and torch.equal(dense.queries, signal.queries)
    assert sum(asked) < ask.queries.shape[1]
    for suffix in SUFFIXES:
        out = tmp_path / f"b{suffix}"
        modality.write(signal, out)
        found = opened(out)
        assert found.is_watertight and found.is_winding_consistent
        volume = load(path).volume
        assert abs(found.volume - volume) < (0.01 if field == "distance" else 0.05) * volume
        assert found.euler_number == (2 if make is ball else 0)


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
    found = opened(tmp_path / "b.ply")
    assert found.is_watertight
    assert abs(found.volume / load(path).volume - 1) < 0.02


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


def test_regions_are_in_units_of_the_file(tmp_path: Path) -> None:
    path = stored(ball(2.0), tmp_path / "a.ply")
    whole, asked = decoded(SMALL, path, View())
    view = View(region=(("x", 5.0, 99.0), ("z", 0.0, 1.5)))
    part, fewer = decoded(SMALL, path, view)
    SMALL.write(part, tmp_path / "b.ply")
    found = opened(tmp_path / "b.ply")
    assert found.is_watertight and sum(fewer) < sum(asked)
    cell = 2 / 24 * Place.of(part.meta).unit
    assert np.allclose(found.bounds, [[5.0, -5.0, 0.0], [7.0, -1.0, 1.5]], atol=1.2 * cell)
    assert found.bounds[0, 0] > 5.0 - cell and found.bounds[1, 2] < 1.5 + cell
    fine, _ = decoded(SMALL, path, View(scale=2.0, region=(("x", 5.0, 99.0),)))
    assert fine.shape[0] > 1.5 * whole.shape[0]


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (View(region=(("x", 50.0, 60.0),)), "nothing between"),
        (View(region=(("x", 6.0, 5.0),)), "empty"),
        (View(region=(("t", 5.0, 6.0),)), "'t' twice or unknown"),
        (View(region=(("x", 2.7, 2.8), ("y", -1.0, -0.7))), "no surface"),
        (View(at=Path("other.ply")), "cannot be asked"),
        (View(scale=1e9), "cells along an axis"),
        (View(scale=0.01), "cells along an axis"),
    ],
)
def test_impossible_views_are_explained(tmp_path: Path, view: View, reason: str) -> None:
    path = stored(ball(), tmp_path / "a.ply")
    with pytest.raises(SignalError, match=reason):
        decoded(SMALL, path, view)


def test_a_grid_too_large_to_ask_at_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    meta = {"place": [0, 0, 0, 0]}
    with pytest.raises(SignalError, match="use rebuild"):
        SMALL.ask(meta, View(scale=20.0))
    monkeypatch.setattr(explore, "MOST", 1 << 15)
    rebuild = SDF(resolution=64).rebuild(meta, View())
    ask = next(rebuild)
    with pytest.raises(SignalError, match="surface nearly everywhere"):
        while True:
            ask = rebuild.send(torch.full((1, ask.queries.shape[1], 1), 0.5))


def test_points_are_not_written_as_a_surface(tmp_path: Path) -> None:
    signal = SMALL.read(stored(ball(), tmp_path / "a.ply"))
    with pytest.raises(SignalError, match="rebuild it first"):
        SMALL.write(signal, tmp_path / "b.ply")


@pytest.mark.parametrize(
    "wrong",
    [
        {"samples": 0},
        {"near": 1.5},
        {"resolution": 2},
        {"truncation": 0.0},
        {"field": "colour"},
        {"emphasis": 0.5},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SignalError, match="give"):
        SDF(**wrong)  # type: ignore[arg-type]


def test_kinds_bound_what_they_can() -> None:
    distance, occupancy = kinds.kind("distance", 0.2), kinds.kind("occupancy", 0.2)
    d = np.linspace(-0.19, 0.19, 39)
    assert np.allclose(distance.value(distance.feature(d)), d)
    assert ((occupancy.value(occupancy.feature(d)) < 0) == (d < 0)).all()
    assert 0.1 <= distance.reach(0.1) < 0.2 and distance.reach(0.15) == math.inf
    assert occupancy.reach(0.1) == 0.0


# --- files ---------------------------------------------------------------------------------------


@QUICK
@given(
    suffix=st.sampled_from(SUFFIXES),
    size=st.floats(1e-3, 1e4),
    at=st.tuples(*[st.floats(-1e3, 1e3)] * 3),
)
def test_files_keep_their_mesh(
    tmp_path: Path, suffix: str, size: float, at: tuple[float, float, float]
) -> None:
    mesh = ring()
    mesh = Mesh(mesh.vertices * size + at, mesh.faces)
    path = stored(mesh, tmp_path / f"a{suffix}")
    found = load(path)
    # STL and OBJ have single precision or 8 digits; a vertex may meet another
    quantum = 1e-7 * np.abs(mesh.vertices).max() + 2e-8
    if quantum < 1e-4 * size:
        assert len(found.vertices) == len(mesh.vertices) and len(found.faces) == len(mesh.faces)
        assert abs(found.volume - mesh.volume) <= 50 * quantum * size**2
    other = opened(path)
    assert np.allclose(other.bounds, mesh.bounds, atol=2 * quantum)


def test_far_from_the_origin_ply_is_in_double_precision(tmp_path: Path) -> None:
    mesh = ring()
    mesh = Mesh(mesh.vertices + np.array([5e6, 4e6, 100.0]), mesh.faces)
    path = stored(mesh, tmp_path / "a.ply")
    assert b"property double x" in path.read_bytes()
    assert abs(load(path).volume - mesh.volume) < 1e-6
    signal, _ = decoded(SMALL, path, View())
    SMALL.write(signal, tmp_path / "b.ply")
    assert opened(tmp_path / "b.ply").is_watertight
    assert SMALL.measure(path, tmp_path / "b.ply")["psnr"] > 45


OPEN = "v 0 0 0\nv 1 0 0\nv 0 1 0.3\nv 1 1 0\nf 1 2 3\nf 2 4 3\n"
CUBE = trimesh.creation.box()


def ply(text: str) -> bytes:
    return ("ply\nformat ascii 1.0\n" + text).encode()


XYZ = "property float x\nproperty float y\nproperty float z\n"
LIST = "property list uchar int vertex_indices\nend_header\n"
TRIANGLE = "0 0 0\n1 0 0\n0 1 0.5\n"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("sheet.obj", OPEN.encode(), "inside is undefined"),
        ("one.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 1\nf 1 2 3\n", "inside is undefined"),
        ("flat.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "flat"),
        ("point.obj", b"v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "flat"),
        ("nan.obj", b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("inf.obj", b"v inf 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("far.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "damaged"),
        (
            "points.ply",
            ply(f"element vertex 3\n{XYZ}end_header\n{TRIANGLE}"),
            "no triangles",
        ),
        (
            "none.ply",
            ply(f"element vertex 3\n{XYZ}element face 0\n{LIST}{TRIANGLE}"),
            "no triangles",
        ),
        (
            "huge.ply",
            ply(f"element vertex 4000000000\n{XYZ}element face 1\n{LIST}{TRIANGLE}3 0 1 2\n"),
            "truncated",
        ),
        (
            "huge-binary.ply",
            ply(f"element vertex 4000000000000\n{XYZ}element face 1\n{LIST}").replace(
                b"ascii", b"binary_little_endian"
            ),
            "cannot be read",
        ),
        ("huge.off", b"OFF\n4000000000 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "truncated"),
        ("huge.stl", b"\0" * 80 + struct.pack("<I", 0xFFFFFFFF) + b"\0" * 50, "no triangles"),
        ("mesh.xyz", b"0 0 0", "not a mesh file"),
    ],
)
def test_bad_files_are_explained(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SignalError, match=reason) as refusal:
        SMALL.read(path)
    assert name in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("text", [False, True])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, text: bool) -> None:
    mesh = ring()
    path = stored(mesh, tmp_path / f"a{suffix}")
    content = path.read_bytes()
    if text and suffix in (".ply", ".stl"):
        kind = "ply" if suffix == ".ply" else "stl_ascii"
        made = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        export = made.export(file_type=kind, **({"encoding": "ascii"} if kind == "ply" else {}))
        content = export if isinstance(export, bytes) else export.encode()
        path.write_bytes(content)
        assert load(path).volume == pytest.approx(mesh.volume, rel=1e-4)
    for share in (0.2, 0.5, 0.8)[: 2 if suffix == ".obj" else 3]:  # an OBJ declares no length
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(SignalError, match=path.name):
            SMALL.read(path)


def test_a_box_without_lid_has_no_inside_but_small_holes_do_not_matter(tmp_path: Path) -> None:
    lidless = Mesh(
        np.array(CUBE.vertices), np.array(CUBE.faces)[np.array(CUBE.face_normals)[:, 2] < 0.5]
    )
    with pytest.raises(SignalError, match=r"lidless\.ply: inside is undefined.*close its holes"):
        SMALL.read(stored(lidless, tmp_path / "lidless.ply"))
    whole = ball()
    holed = Mesh(whole.vertices, whole.faces[8:])
    modality = SDF(samples=4800, near=0.0)
    first = modality.read(stored(whole, tmp_path / "whole.ply")).features
    second = modality.read(stored(holed, tmp_path / "holed.ply")).features
    assert ((first < 0.5) != (second < 0.5)).float().mean() < 0.01


def test_inverted_doubled_and_overlapping_faces_do_not_matter(tmp_path: Path) -> None:
    whole = ball()
    modality = SDF(samples=2400, near=0.0)
    first = modality.read(stored(whole, tmp_path / "a.ply"))
    turned = Mesh(whole.vertices, whole.faces[:, ::-1].copy())
    assert torch.equal(
        modality.read(stored(turned, tmp_path / "b.ply")).features < 0.5, first.features < 0.5
    )
    inner = ball(1.0)
    both = Mesh(
        np.concatenate([whole.vertices, inner.vertices]),
        np.concatenate([whole.faces, inner.faces + len(whole.vertices)]),
    )
    overlapping = modality.read(stored(both, tmp_path / "c.ply"))
    assert torch.equal(overlapping.features < 0.5, first.features < 0.5)


# --- quality -------------------------------------------------------------------------------------


def test_measures_of_two_balls_are_those_of_geometry() -> None:
    fine = body(trimesh.creation.icosphere(subdivisions=5))
    bigger = Mesh(fine.vertices * 1.1, fine.faces)
    found = quality.measure(fine, bigger)
    diagonal = 2 * math.sqrt(3)
    assert found["psnr"] == pytest.approx(20 * math.log10(diagonal / 0.1), abs=0.05)
    assert found["chamfer"] == pytest.approx(0.1 / diagonal, rel=0.01)
    assert found["iou"] == pytest.approx(1 / 1.1**3, abs=0.02)
    assert found["normal_consistency"] == pytest.approx(1.0, abs=1e-3)
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
    sizes, found = [], []
    for bits in (6.0, 11.0):
        data = draco.encode(path, bits)
        assert data[:5] == b"DRACO"
        draco.decode(data, path, tmp_path / "b.ply")
        sizes.append(len(data))
        found.append(SMALL.measure(path, tmp_path / "b.ply")["psnr"])
        assert opened(tmp_path / "b.ply").is_watertight
    assert sizes[0] < sizes[1] < path.stat().st_size and found[0] + 20 < found[1]


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
    found = opened(tmp_path / "a.ply")
    assert found.is_watertight and abs(found.volume / load(path).volume - 1) < 0.02
    assert modality.measure(path, tmp_path / "a.ply")["iou"] > 0.98
