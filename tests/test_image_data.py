"""Folders of images as training data."""

from pathlib import Path

import lightning
import pytest
import torch
from image_files import folder, levels, numbered

from inrc import grid
from inrc.errors import SignalError, UsageError
from inrc_modalities.image import ImageDataModule
from inrc_modalities.image.writing import save


def test_a_folder_is_read_once_and_kept_in_order(tmp_path: Path) -> None:
    data = ImageDataModule(folder(tmp_path / "a", 10), patch=4, val_fraction=0.3, batch_size=6)
    data.prepare_data()
    data.setup("fit")
    assert [p.name for p in data.val_paths] == ["007.png", "008.png", "009.png"]
    assert [p.name for p in data.train_paths] == [f"{i:03d}.png" for i in range(7)]
    assert data.train_rows is not None and data.val_rows is not None
    assert data.train_rows.features.shape == (7 * 9, 16, 3)
    assert torch.equal(data.train_rows.queries, grid.coordinates((4, 4))[None])
    assert levels(data.val_rows.features)[::9, 0, 2].tolist() == [7, 8, 9]
    rows = data.train_rows
    data.setup("validate")
    assert data.train_rows is rows
    assert sum(len(b.features) for b in data.train_dataloader()) == 60
    assert data.modality.settings() == {"patch": 4, "channels": 3}


def test_a_second_folder_is_for_validation(tmp_path: Path) -> None:
    data = ImageDataModule(folder(tmp_path / "a", 3), val_root=folder(tmp_path / "b", 2, first=50))
    data.setup("fit")
    assert data.train_rows is not None and data.val_rows is not None
    assert levels(data.train_rows.features)[:, 0, 2].tolist() == [0, 1, 2]
    assert levels(data.val_rows.features)[:, 0, 2].tolist() == [50, 51]
    assert data.val_paths == sorted((tmp_path / "b").iterdir())


def test_without_a_folder_a_sample_is_drawn(tmp_path: Path) -> None:
    data = ImageDataModule(patch=16, channels=1, sample_folder=tmp_path, sample_count=3, seed=5)
    data.prepare_data()
    data.setup("fit")
    assert data.train_rows is not None and data.train_rows.features.shape == (32, 256, 1)
    assert all(path.parent == tmp_path for path in data.val_paths + data.train_paths)


@pytest.mark.parametrize("patch", [None, 5])
def test_half_of_the_training_rows_are_mirrored(tmp_path: Path, patch: int | None) -> None:
    lightning.seed_everything(0, verbose=False)
    root = folder(tmp_path / "a", 40)
    plain, flipped = (
        ImageDataModule(root, patch=patch),
        ImageDataModule(root, patch=patch, flip=True),
    )
    for data in (plain, flipped):
        data.setup("fit")
    assert plain.train_rows is not None and flipped.train_rows is not None
    index = list(range(len(plain.train_rows)))
    height, width = (patch, patch) if patch else (12, 10)
    before = plain.train_rows.__getitems__(index).features.unflatten(1, (height, width))
    after = flipped.train_rows.__getitems__(index).features.unflatten(1, (height, width))
    same = (after == before).flatten(1).all(1)
    mirrored = (after == before.flip(2)).flatten(1).all(1)
    assert (same ^ mirrored).all() and 0.2 < mirrored.float().mean() < 0.8
    assert torch.equal(flipped.train_rows.select(torch.arange(4))[1], plain.train_rows.features[:4])
    again = flipped.train_rows.__getitems__(index).features.unflatten(1, (height, width))
    assert not torch.equal(again, after)
    assert plain.val_rows is not None and flipped.val_rows is not None
    assert torch.equal(flipped.val_rows.__getitems__([0]).features, plain.val_rows.features[:1])


def test_random_patches_come_from_their_image_and_from_everywhere(tmp_path: Path) -> None:
    lightning.seed_everything(0, verbose=False)
    root = folder(tmp_path / "a", 2)
    save(numbered(2, 7, 30), root / "100.png")  # another size
    save(numbered(3, 3, 3), root / "101.png")  # smaller than a patch
    save(numbered(4 * 257, 12, 10, deep=True), root / "102.png")
    val = folder(tmp_path / "b", 1)
    data = ImageDataModule(root, val_root=val, patch=4, random_patches=50, batch_size=100)
    data.setup("fit")
    rows = data.train_rows
    assert rows is not None and len(rows) == 250
    index = torch.randperm(250)[:200].tolist()
    batch = rows.__getitems__(index)
    assert batch.rows.tolist() == index and batch.queries.shape == (1, 16, 2)
    deep = torch.tensor(index) // 50 == 4
    drawn = torch.where(deep[:, None, None], batch.features * 65535, batch.features * 255).round()
    assert (
        drawn[:, :, 2] == (torch.tensor(index) // 50)[:, None] * (1 + 256 * deep[:, None])
    ).all()
    pictures = drawn.unflatten(1, (4, 4))
    for image, (height, width) in enumerate([(12, 10), (12, 10), (7, 30), (3, 3), (12, 10)]):
        mine = pictures[torch.tensor(index) // 50 == image]
        corners = mine[:, 0, 0, :2].long()
        assert corners.amin(0).tolist() == [0, 0]
        assert (corners <= torch.tensor([max(height - 4, 0), max(width - 4, 0)])).all()
        if image != 3:
            assert len(corners.unique(dim=0)) > 15
            assert torch.equal(mine[:, 3, 3, :2].long(), corners + 3)
        else:
            assert mine[:, :, 0, 0].unique(dim=0).tolist() == [[0, 1, 2, 1]]
    assert not torch.equal(rows.__getitems__(index).features, batch.features)
    assert torch.equal(rows.select(torch.arange(9))[1], rows.features[:9])
    assert sum(len(b.features) for b in data.train_dataloader()) == 200


def test_random_patches_can_be_mirrored(tmp_path: Path) -> None:
    lightning.seed_everything(0, verbose=False)
    data = ImageDataModule(folder(tmp_path / "a", 2), patch=4, random_patches=64, flip=True)
    data.setup("fit")
    assert data.train_rows is not None
    columns = levels(data.train_rows.__getitems__(list(range(64))).features)[:, :2, 1]
    assert {-1, 1} == set((columns[:, 1] - columns[:, 0]).tolist())


def test_impossible_requests_are_refused(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", 2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"data\.random_patches: needs data\.patch; give both"):
        ImageDataModule(root, random_patches=3)
    with pytest.raises(UsageError, match=r"data\.random_patches: 0; give 1 or more"):
        ImageDataModule(root, patch=4, random_patches=0)
    with pytest.raises(UsageError, match=r"data\.shift: -1; give 0"):
        ImageDataModule(root, shift=-1)
    save(numbered(0, 10, 12), root / "turned.png")
    with pytest.raises(SignalError, match="set a patch"):
        ImageDataModule(root, val_root=root, flip=True).setup("fit")
    save(numbered(0, 10, 13), root / "wider.png")
    with pytest.raises(SignalError, match=r"wider\.png.*set a patch"):
        ImageDataModule(root, val_root=root).setup("fit")
