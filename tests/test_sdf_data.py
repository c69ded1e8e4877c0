"""Folders of meshes as training data."""

from pathlib import Path

import pytest
import torch
import trimesh
from jsonargparse import ArgumentParser

from inrc.data import SignalDataModule
from inrc.errors import SignalError, UsageError
from inrc_modalities.sdf import Meshes, points
from inrc_modalities.sdf.data import turned
from inrc_modalities.sdf.mesh import Mesh, load, save


def folder(root: Path, count: int) -> Path:
    """Boxes of growing height: file i is 1 by 1 by 0.2 (i + 1)."""
    root.mkdir()
    for i in range(count):
        trimesh.creation.box((1.0, 1.0, 0.2 * (i + 1))).export(root / f"{i}.ply")
    return root


def test_files_are_split_and_share_their_points(tmp_path: Path) -> None:
    data = Meshes(folder(tmp_path / "a", 5), samples=480, val_fraction=0.4, emphasis=2.0)
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
    data = Meshes(folder(tmp_path / "a", 2), samples=480, near=0.5)
    data.setup("fit")
    assert data.train_rows is not None and data.train_rows.queries.shape == (1, 480, 3)
    data = Meshes(tmp_path / "a", samples=480, near=0.5, val_fraction=0.0)
    data.train_paths = sorted((tmp_path / "a").iterdir())
    from inrc.data import read_rows

    assert read_rows(data.modality, data.train_paths).queries.shape == (2, 480, 3)


def test_one_mesh_is_trained_on_and_judged(tmp_path: Path) -> None:
    data = Meshes(folder(tmp_path / "a", 1) / "0.ply", samples=480)
    data.setup("fit")
    assert data.train_paths == data.val_paths == [tmp_path / "a" / "0.ply"]


def test_turns_are_the_turned_files(tmp_path: Path) -> None:
    """What is made of a row without reading agrees with the turned file, read."""
    root = folder(tmp_path / "a", 3)
    data = Meshes(root, samples=480, turns=5, emphasis=3.0)
    plain = Meshes(root, samples=480, emphasis=3.0)
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
    bare = Meshes(root, samples=480, turns=5, emphasis=3.0, weighted=False)
    bare.setup("fit")
    assert bare.train_rows is not None and bare.train_rows.weights is None
    assert bare.val_rows is not None and bare.val_rows.weights is not None
    gap = (every.features[: points.TURNS] - read.features).abs().amax((1, 2))
    assert gap.min() < 1e-5
    assert (every.weights[gap.argmin()] - read.weights[0]).abs().max() < 1e-4


def test_without_a_folder_a_sample_is_drawn(tmp_path: Path) -> None:
    data = Meshes(sample_folder=tmp_path, sample_count=3, samples=480, seed=5)
    data.prepare_data()
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    data.setup("fit")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps
    assert len(data.train_paths) == 2 and len(data.val_paths) == 1
    for path in data.train_paths:
        found = trimesh.load_mesh(path, process=False)
        assert found.is_watertight and found.volume > 0


def test_impossible_requests_are_refused(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", 2)
    for turns, near in ((0, 0.0), (49, 0.0), (2, 0.5)):
        with pytest.raises(UsageError, match="turns"):
            Meshes(root, turns=turns, near=near)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SignalError, match="no sdf files"):
        Meshes(tmp_path / "empty").setup("fit")
    (root / "bad.obj").write_text("v 0 0 0\n")
    with pytest.raises(SignalError, match=r"bad\.obj"):
        Meshes(root).setup("fit")


def test_a_recipe_can_name_it() -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(SignalDataModule, "data")
    made = parser.instantiate(
        parser.parse_object(
            {
                "data": {
                    "class_path": "inrc_modalities.sdf.Meshes",
                    "init_args": {"root": "a", "field": "occupancy", "turns": 4},
                }
            }
        )
    )
    assert made.data.modality.query_dim == 3 and isinstance(made.data.root, Path)
