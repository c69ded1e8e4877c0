"""Folders of radiance scenes as training data, and a codec made of them."""

import math
import shutil
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch

from inrc import codec
from inrc.container import Item
from inrc.errors import SignalError, UsageError
from inrc.methods import COINPP
from inrc.model import Model
from inrc.signal import View
from inrc_modalities.nerf import NeRF, NeRFDataModule, NerfSynthetic, SRNCars, files, orbit
from inrc_modalities.nerf.cameras import Cameras


def views(number: int, count: int = 4, side: int = 6) -> tuple[Cameras, np.ndarray]:
    """Views whose levels say which scene, view and pixel they are."""
    cameras = Cameras(orbit.circle([13, 3, 0, 0, 0, 0], count, 6.0), (side, side), 9.0)
    levels = np.zeros((count, side * side, 3), np.uint8)
    levels[..., 0] = number
    levels[..., 1] = np.arange(count)[:, None]
    levels[..., 2] = np.arange(side * side)
    return cameras, levels.reshape(count, side, side, 3)


def folder(root: Path, count: int, name: str = "transforms_train.json", held: bool = True) -> Path:
    """A folder of numbered scenes."""
    for number in range(count):
        home = root / f"s{number:02d}"
        home.mkdir(parents=True)
        files.save(*views(number), home / name)
        if held:
            files.save(*views(number + 100, 2), home / name.replace("train", "test"))
    return root


@pytest.mark.parametrize("name", ["transforms_train.json", "a_train.npz"])
def test_held_out_views_are_no_scenes(tmp_path: Path, name: str) -> None:
    root = folder(tmp_path / "a", 5, name)
    (root / "s00" / "notes.txt").write_text("not a scene")
    data = NeRFDataModule(root, rays=20, batch_size=3, step_rays=50)
    data.prepare_data()
    data.setup("fit")
    assert data.train_paths == [root / f"s{n:02d}" / name for n in range(4)]
    assert data.val_paths == [root / "s04" / name]
    assert data.train_rows is not None and data.val_rows is not None
    assert data.train_rows.queries.shape == (4, 20, 7)
    assert (data.train_rows.features[..., 0] * 255).round().long().unique(dim=1).tolist() == [
        [0], [1], [2], [3]
    ]  # fmt: skip
    rows = data.train_rows
    data.setup("validate")
    assert data.train_rows is rows
    (batch,) = list(data.train_dataloader())
    assert batch.queries.shape == (3, 50, 7) and batch.features.shape == (3, 50, 3)


def test_a_batch_sees_other_rays_each_time_and_their_colours(tmp_path: Path) -> None:
    lightning.seed_everything(0, verbose=False)
    data = NeRFDataModule(folder(tmp_path / "a", 3), step_rays=400, rays=None)
    data.setup("fit")
    rows = data.train_rows
    assert rows is not None
    one, two = rows.__getitems__([1, 0]), rows.__getitems__([1, 0])
    assert one.rows.tolist() == [1, 0] and not torch.equal(one.queries, two.queries)
    scene, view, pixel = (one.features * 255).round().long().unbind(-1)
    assert (scene == one.rows[:, None]).all()
    assert len((view * 36 + pixel).unique()) > 120  # of 144
    cameras = views(0)[0]
    wanted = cameras.rays(view.flatten(), pixel.flatten())
    assert torch.equal(one.queries.flatten(0, 1)[:, :6], wanted[:, :6])
    phase = one.queries[..., 6]
    assert 0 <= phase.min() < 0.02 and 0.98 < phase.max() <= 1
    fixed = rows.select(torch.tensor([1]))
    assert (fixed[0][..., 6] == 0.5).all() and fixed[1].shape == (1, 144, 3)


def test_scenes_of_unlike_sizes_are_learnt_together(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", 2)
    files.save(*views(7, 3, 5), root / "s01" / "other.npz")
    data = NeRFDataModule(root, rays=None, val_fraction=0.01)
    data.setup("fit")
    assert data.val_paths == [root / "s01" / "transforms_train.json"]
    assert data.train_paths == [root / "s00" / "transforms_train.json", root / "s01" / "other.npz"]
    assert data.train_rows is not None and data.train_rows.queries.shape == (2, 75, 7)
    assert data.train_rows.__getitems__([0, 1]).queries.shape == (2, 1024, 7)


def test_one_scene_is_learnt_and_judged(tmp_path: Path) -> None:
    path = folder(tmp_path / "a", 1) / "s00" / "transforms_train.json"
    for root in (path, tmp_path / "a"):
        data = NeRFDataModule(root)
        data.setup("fit")
        assert data.train_paths == data.val_paths == [path]


def test_without_a_folder_a_sample_is_drawn(tmp_path: Path) -> None:
    data = NeRFDataModule(sample_folder=tmp_path, sample_count=3, seed=5, rays=60, frames=4)
    data.prepare_data()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    data.setup("fit")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert len(data.train_paths) == 2 and len(data.val_paths) == 1
    assert all(tmp_path in path.parents for path in data.train_paths + data.val_paths)


def test_named_data_sets(tmp_path: Path) -> None:
    synthetic = folder(tmp_path / "nerf", 3)
    (synthetic / "s02").rename(synthetic / "lego")
    files.save(*views(1), synthetic / "lego" / "transforms_val.json")
    every, lego = NerfSynthetic(synthetic), NerfSynthetic(synthetic, scene="lego")
    assert [len(part) for part in every.files()] == [2, 1]
    assert lego.files()[0] == [synthetic / "lego" / "transforms_train.json"]
    assert lego.modality.settings() | {"near": 2.0, "far": 6.0} == lego.modality.settings()
    cars, held = (folder(tmp_path / n, 3, "intrinsics.txt", held=False) for n in ("cars", "test"))
    data = SRNCars(cars, val_root=held, limit=2, rays=40)
    data.setup("fit")
    assert data.train_paths == [cars / f"s0{n}" / "intrinsics.txt" for n in range(2)]
    assert data.val_paths == [held / f"s0{n}" / "intrinsics.txt" for n in range(2)]
    assert data.train_rows is not None and len(data.train_rows) == 2
    assert [len(part) for part in SRNCars(cars).files()] == [2, 1]


def test_impossible_requests_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for kind, says in ((NerfSynthetic, "no transforms_train"), (SRNCars, r"no intrinsics\.txt")):
        for root in (tmp_path / "empty", tmp_path / "nowhere"):
            with pytest.raises(SignalError, match=says):
                kind(root).setup("fit")
    with pytest.raises(UsageError, match="step_rays"):
        NeRFDataModule(step_rays=0)
    with pytest.raises(UsageError, match="limit"):
        SRNCars(tmp_path, limit=0)
    root = folder(tmp_path / "a", 2)
    shutil.rmtree(root / "s01" / "transforms_train")
    with pytest.raises(SignalError, match="4 pictures are missing"):
        NeRFDataModule(root).setup("fit")


def test_scenes_go_through_an_archive(tmp_path: Path) -> None:
    lightning.seed_everything(0, verbose=False)
    root = folder(tmp_path / "a", 2)
    paths = [root / f"s{n:02d}" / "transforms_train.json" for n in range(2)]
    modality = NeRF(samples=4, rays=80, frames=3)
    method = COINPP(latent_dim=4, width=8, depth=2, bits=[4])
    network = method.build(3, 4, modality)
    signal = modality.read(paths[0])
    latents = network.fit_latents(signal.queries, signal.features, None) + torch.randn(30, 4)
    bottleneck = network.bottleneck(0)
    bottleneck.prepare()
    bottleneck.calibrate(latents, torch.eye(4), 80)
    bottleneck.tabulate(latents)
    bottleneck.finish()
    model = Model.make(network, method, modality, Item("", signal.meta, 1), {})
    made = codec.compress(paths, model)
    assert made.observations == 8, "a rate is counted in bits per view"
    assert len(codec.compress(paths[:1], model).data) < 40
    measures = codec.measure(paths, made.data, model)
    assert math.isfinite(measures["psnr"])
    written = codec.decompress(made.data, model, tmp_path / "out")
    assert written == [tmp_path / "out" / path.relative_to(root) for path in paths]
    turntable = modality.read(written[0])
    assert turntable.shape == (3, 26) and (written[0].parent / "transforms_train").is_dir()
    (one,) = codec.decompress(
        codec.compress(paths[:1], model).data, model, tmp_path / "x.npz",
        View(scale=2.0, at=root / "s00" / "transforms_test.json", region=(("view", 1, 2),)),
    )  # fmt: skip
    assert np.load(one)["images"].shape == (1, 12, 12, 3)
