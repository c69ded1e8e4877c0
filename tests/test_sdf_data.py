"""Folders of meshes as training data; grids of voxels."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from numpy.typing import NDArray

from inrc.errors import SignalError, UsageError
from inrc.signal import View
from inrc.testing import check_modality
from inrc_modalities.sdf import SDFDataModule, VoxelDataModule, Voxels, points, voxelfiles
from inrc_modalities.sdf.data import turned
from inrc_modalities.sdf.mesh import Mesh, load, save
from inrc_modalities.sdf.voxelfiles import Grid


def folder(root: Path, count: int) -> Path:
    """Boxes of growing height: file i is 1 by 1 by 0.2 (i + 1)."""
    root.mkdir()
    for i in range(count):
        trimesh.creation.box((1.0, 1.0, 0.2 * (i + 1))).export(root / f"{i}.ply")
    return root


def test_files_are_split_and_share_their_points(tmp_path: Path) -> None:
    data = SDFDataModule(folder(tmp_path / "a", 5), samples=480, val_fraction=0.4, emphasis=2.0)
    data.prepare_data()
    data.setup("fit")
    assert [p.name for p in data.train_paths] == ["0.ply", "1.ply", "2.ply"]
    assert [p.name for p in data.val_paths] == ["3.ply", "4.ply"]
    assert data.train_rows is not None and data.val_rows is not None
    assert data.train_rows.features.shape == (3, 480, 1)
    assert data.train_rows.queries.shape == data.val_rows.queries.shape == (1, 480, 3)
    inside = (data.train_rows.features < 0.5).sum((1, 2)).tolist()
    assert inside[0] < inside[1] < inside[2]
    rows = data.train_rows
    data.setup("validate")
    assert data.train_rows is rows
    assert data.modality.settings()["emphasis"] == 2.0


def test_points_near_the_surface_are_each_files_own(tmp_path: Path) -> None:
    data = SDFDataModule(folder(tmp_path / "a", 2), samples=480, near=0.5)
    data.setup("fit")
    assert data.train_rows is not None and data.train_rows.queries.shape == (1, 480, 3)
    data = SDFDataModule(tmp_path / "a", samples=480, near=0.5, val_fraction=0.0)
    data.train_paths = sorted((tmp_path / "a").iterdir())
    from inrc.data import read_rows

    assert read_rows(data.modality, data.train_paths).queries.shape == (2, 480, 3)


def test_one_mesh_is_trained_on_and_judged(tmp_path: Path) -> None:
    data = SDFDataModule(folder(tmp_path / "a", 1) / "0.ply", samples=480)
    data.setup("fit")
    assert data.train_paths == data.val_paths == [tmp_path / "a" / "0.ply"]


def test_turns_are_the_turned_files(tmp_path: Path) -> None:
    """What is made of a row without reading agrees with the turned file, read."""
    root = folder(tmp_path / "a", 3)
    data = SDFDataModule(root, samples=480, turns=5, emphasis=3.0)
    plain = SDFDataModule(root, samples=480, emphasis=3.0)
    for each in (data, plain):
        each.setup("fit")
    assert data.train_rows is not None and plain.train_rows is not None
    assert data.val_rows is not None and data.val_rows.features.shape == (1, 480, 1)
    assert data.train_rows.features.shape == (10, 480, 1)
    assert torch.equal(data.train_rows.features[::5], plain.train_rows.features)
    mesh = load(root / "0.ply")
    order, sign = points._symmetries()[17]
    moved = Mesh(mesh.vertices[:, order] * sign, mesh.faces)
    save(moved, tmp_path / "moved.ply")
    read = data.modality.read(tmp_path / "moved.ply")
    every = turned(plain.train_rows, points.TURNS)
    assert every.weights is not None and read.weights is not None
    bare = SDFDataModule(root, samples=480, turns=5, emphasis=3.0, weighted=False)
    bare.setup("fit")
    assert bare.train_rows is not None and bare.train_rows.weights is None
    assert bare.val_rows is not None and bare.val_rows.weights is not None
    gap = (every.features[: points.TURNS] - read.features).abs().amax((1, 2))
    assert gap.min() < 1e-5
    assert (every.weights[gap.argmin()] - read.weights[0]).abs().max() < 1e-4


def test_without_a_folder_a_sample_is_drawn(tmp_path: Path) -> None:
    data = SDFDataModule(sample_folder=tmp_path, sample_count=3, samples=480, seed=5)
    data.prepare_data()
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    data.setup("fit")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps
    assert len(data.train_paths) == 2 and len(data.val_paths) == 1
    for path in data.train_paths:
        loaded = trimesh.load_mesh(path, process=False)
        assert loaded.is_watertight and loaded.volume > 0


def test_impossible_requests_are_refused(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", 2)
    for turns, near in ((0, 0.0), (49, 0.0), (2, 0.5)):
        with pytest.raises(UsageError, match="turns"):
            SDFDataModule(root, turns=turns, near=near)
    (root / "bad.obj").write_text("v 0 0 0\n")
    with pytest.raises(SignalError, match=r"bad\.obj"):
        SDFDataModule(root).setup("fit")


# --- voxels --------------------------------------------------------------------------------------


def blob(x: int = 6, y: int = 5, z: int = 7) -> NDArray[np.bool_]:
    grid = np.stack(np.mgrid[:x, :y, :z], -1) - (np.array([x, y, z]) - 1) / 2
    return np.asarray(np.linalg.norm(grid, axis=-1) < 2.4 + grid[..., 0] * 0.2)


def test_the_law_of_voxels(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    paths = [tmp_path / "in" / f"a{suffix}" for suffix in voxelfiles.SUFFIXES]
    place = (0.5, -1.0, 2.0, 3.0)
    for path in paths:
        kind = "|b1" if path.suffix == ".binvox" else "<f4"
        here = place if path.suffix == ".binvox" else (0.0, 0.0, 0.0, 1.0)
        voxelfiles.save(Grid(blob(), kind, "voxels", here), path)
    check_modality(Voxels(), paths, tmp_path / "law")
    assert voxelfiles.load(paths[2]).place == place
    assert np.array_equal(np.load(paths[0]), blob().astype(np.float32))


def test_binvox_is_what_another_program_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.binvox"
    for shape in ((1, 1, 1), (3, 4, 5), (40, 30, 20), (9, 9, 9)):
        full = np.random.default_rng(0).random(shape) < 0.3
        full[: shape[0] // 2] = True  # runs of more than 255 voxels
        voxelfiles.save(Grid(full), path)
        assert np.array_equal(voxelfiles.load(path).full, full)
        if shape[0] == shape[1] == 9:  # trimesh reads cubes only
            loaded = trimesh.load(path, file_type="binvox")
            assert np.array_equal(np.asarray(loaded.matrix), full)


def test_views_of_voxels(tmp_path: Path) -> None:
    voxelfiles.save(Grid(blob()), tmp_path / "a.npy")
    modality = Voxels()
    signal = modality.read(tmp_path / "a.npy")
    view = View(scale=2.0, region=(("x", 1.0, 3.0), ("z", 0.0, 1.0)))
    plan = modality.plan_queries(signal.meta, view)
    assert plan.queries.shape == (1, 4 * 10 * 2, 3)
    seen = modality.join((plan.queries[..., :1] > -0.4).float(), signal.meta, view)
    assert seen.shape == (4, 10, 2)
    assert torch.allclose(plan.queries[0, 0], torch.tensor([-1 + 5 / 12, -0.9, -1 + 1 / 14]))
    for bad, reason in [
        (View(region=(("x", 3.0, 3.0),)), "no voxel"),
        (View(region=(("w", 0.0, 3.0),)), "unknown or repeated"),
        (View(scale=1e6), "ask for a region"),
        (View(at=tmp_path), "no grid of another file"),
    ]:
        with pytest.raises(SignalError, match=reason):
            modality.plan_queries(signal.meta, bad)


def test_accuracy_is_the_share_of_voxels_that_agree(tmp_path: Path) -> None:
    one, two = blob(), blob()
    two[0, 0, :] ^= True
    voxelfiles.save(Grid(one), tmp_path / "a.npy")
    voxelfiles.save(Grid(two), tmp_path / "b.npy")
    measures = Voxels().measure(tmp_path / "a.npy", tmp_path / "b.npy")
    assert measures["accuracy"] == pytest.approx(100 * (1 - 7 / 210))
    assert measures["psnr"] == pytest.approx(-10 * np.log10(7 / 210))
    assert measures["iou"] == pytest.approx((one & two).sum() / (one | two).sum())
    (lzma,) = Voxels().baselines()
    data = lzma.encode(tmp_path / "a.npy", 9.0)
    lzma.decode(data, tmp_path / "a.npy", tmp_path / "c.npy")
    assert np.array_equal(np.load(tmp_path / "c.npy"), one)


def binvox(side: int, runs: bytes) -> bytes:
    return f"#binvox 1\ndim {side} {side} {side}\ndata\n".encode() + runs


@pytest.mark.parametrize(
    ("name", "make", "reason"),
    [
        ("flat.npy", lambda p: np.save(p, np.zeros((3, 3))), "three axes"),
        ("grey.npy", lambda p: np.save(p, np.full((3, 3, 3), 0.5)), "neither 0 nor 1"),
        ("text.npy", lambda p: np.save(p, np.full((3, 3, 3), "a")), "three axes"),
        ("two.npz", lambda p: np.savez(p, a=blob(), b=blob()), "keep one"),
        ("runs.binvox", lambda p: p.write_bytes(binvox(4, b"\1\2")), "do not add up"),
        ("none.binvox", lambda p: p.write_bytes(binvox(4, b"")), "do not add up"),
        ("huge.binvox", lambda p: p.write_bytes(binvox(10**6, b"\1\2")), "can be read"),
        ("words.binvox", lambda p: p.write_bytes(b"#binvox 1\ndim a\ndata\n"), "not a grid of"),
        ("other.vox", lambda p: p.write_bytes(b"VOX"), "not a grid"),
    ],
)
def test_bad_voxels_are_explained(
    tmp_path: Path, name: str, make: Callable[[Path], object], reason: str
) -> None:
    path = tmp_path / name
    make(path)
    with pytest.raises(SignalError, match=reason) as refusal:
        Voxels().read(path)
    assert name in str(refusal.value)


def test_every_category_of_shapenet_keeps_some_for_validation(tmp_path: Path) -> None:
    for category in ("02691156", "03001627"):
        for i in range(4):
            where = tmp_path / category / f"model{i}"
            where.mkdir(parents=True)
            voxelfiles.save(Grid(blob()), where / "model.binvox")
    data = VoxelDataModule(tmp_path, per_category=3, val_fraction=0.3)
    data.setup("fit")
    assert data.train_rows is not None and data.train_rows.features.shape == (4, 210, 1)
    assert [p.parent.name for p in data.val_paths] == ["model2", "model2"]
    one = VoxelDataModule(tmp_path, categories=["03001627"])
    assert {p.parts[-3] for half in one.files() for p in half} == {"03001627"}
    with pytest.raises(SignalError, match="nosuch: no such file or folder"):
        VoxelDataModule(tmp_path, categories=["nosuch"]).setup("fit")
    made = VoxelDataModule(sample_folder=tmp_path / "sample", sample_count=2)
    made.setup("fit")
    assert made.train_rows is not None and made.train_rows.features.shape == (1, 32**3, 1)
