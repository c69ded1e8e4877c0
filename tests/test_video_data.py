"""Folders of clips and UCF101 as training data."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from image_files import levels

from inrc import grid
from inrc.errors import SignalError, UsageError
from inrc_modalities.video import UCF101, VideoDataModule
from inrc_modalities.video.clip import Clip
from inrc_modalities.video.reading import load
from inrc_modalities.video.rows import CutRows, Store, cut, mirror
from inrc_modalities.video.writing import save


def numbered(number: int, shape: tuple[int, int, int] = (4, 12, 10)) -> Clip:
    """A clip whose samples say which frame and row or column they are, and which clip."""
    t, y, x = np.mgrid[: shape[0], : shape[1], : shape[2]]
    planes = tuple(p.astype(np.uint8) for p in (20 * t + y, x, 0 * t + number))
    return Clip((planes[0], planes[1], planes[2]), "yuv444p", Fraction(25), Fraction(1, 25))


def folder(path: Path, count: int, first: int = 0) -> Path:
    """A folder of numbered clips."""
    path.mkdir(parents=True)
    for number in range(first, first + count):
        save(numbered(number), path / f"{number:03d}.y4m")
    return path


def test_a_folder_is_read_once_and_kept_in_order(tmp_path: Path) -> None:
    data = VideoDataModule(
        folder(tmp_path / "a", 5), patch=(2, 5, 5), val_fraction=0.4, batch_size=7
    )
    data.prepare_data()
    data.setup("fit")
    assert [p.name for p in data.train_paths] == ["000.y4m", "001.y4m", "002.y4m"]
    assert [p.name for p in data.val_paths] == ["003.y4m", "004.y4m"]
    assert data.train_rows is not None and data.val_rows is not None
    assert data.train_rows.features.shape == (3 * 2 * 3 * 2, 50, 3)
    assert torch.equal(data.train_rows.queries, grid.coordinates((2, 5, 5))[None])
    assert levels(data.val_rows.features)[::12, 0, 2].tolist() == [3, 4]
    rows = data.train_rows
    data.setup("validate")
    assert data.train_rows is rows
    assert data.modality.settings() == {"patch": [2, 5, 5], "chroma": 1.0}


def test_a_second_folder_is_for_validation(tmp_path: Path) -> None:
    data = VideoDataModule(folder(tmp_path / "a", 2), val_root=folder(tmp_path / "b", 1, first=50))
    data.setup("fit")
    assert data.val_paths == [tmp_path / "b" / "050.y4m"]
    broken = tmp_path / "a" / "000.y4m"
    broken.write_bytes(broken.read_bytes()[:-9])
    for random_patches in (None, 3):
        with pytest.raises(SignalError, match=r"000\.y4m: cut short.*\Z"):
            VideoDataModule(tmp_path / "a", random_patches=random_patches).setup("fit")


def test_without_a_folder_a_sample_is_made(tmp_path: Path) -> None:
    data = VideoDataModule(patch=(8, 16, 16), sample_folder=tmp_path, sample_count=2, seed=5)
    data.prepare_data()
    data.setup("fit")
    assert data.train_rows is not None and data.train_rows.features.shape == (32, 2048, 3)
    assert all(path.parent == tmp_path for path in data.val_paths + data.train_paths)


def test_random_patches_are_places_of_their_clips(tmp_path: Path) -> None:
    root = folder(tmp_path / "a", 4)
    data = VideoDataModule(
        root, patch=(3, 4, 5), random_patches=20, val_fraction=0.25, batch_size=9
    )
    data.setup("fit")
    rows = data.train_rows
    assert isinstance(rows, CutRows) and len(rows) == 60
    torch.manual_seed(0)
    first, again = rows.__getitems__([0, 25, 59]), rows.__getitems__([0, 25, 59])
    assert not torch.equal(first.features, again.features)
    assert first.rows.tolist() == [0, 25, 59]
    for features in (rows.features, first.features):
        blocks = levels(features).unflatten(1, (3, 4, 5))
        for number, block in enumerate(blocks):
            t, y = block[..., 0] // 20, block[..., 0] % 20
            for axis, line in ((0, t), (1, y), (2, block[..., 1])):
                steps = line.diff(dim=axis)
                assert steps.abs().eq(1).all() and steps.unique().numel() == 1
            clip = [0, 1, 2][number // 20] if len(blocks) == 60 else number
            assert block[..., 2].eq(clip).all()
    with pytest.raises(UsageError):
        VideoDataModule(root, random_patches=0)


def test_all_places_and_directions_are_drawn(tmp_path: Path) -> None:
    whole = torch.rand(5, 6, 4, 3)
    store = Store.of([whole, torch.zeros(2, 2, 2, 3)])
    torch.manual_seed(0)
    blocks = cut(store, [0] * 400 + [1] * 3, (4, 6, 3)).unflatten(1, (4, 6, 3))
    assert (blocks[400:] < 1e-4).all()  # smaller than a block, and reflected
    seen = set()
    for block in blocks[:400]:
        matches = [
            (t, x, turned)
            for t in range(2)
            for x in range(2)
            for turned in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
            if (block - whole[t : t + 4, :, x : x + 3].flip(turned)).abs().max() < 1e-4
        ]
        assert len(matches) == 1
        seen.update(matches)
    assert len(seen) == 2 * 2 * 8
    assert mirror(torch.rand(3, 72, 3), (4, 6, 3)).shape == (3, 72, 3)


def avi(path: Path, count: int, height: int = 240, width: int = 320) -> None:
    """A video as UCF101 has them: MPEG-4 in AVI."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"qscale": "2", "flags": "qscale"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        ramp = np.linspace(0, 255, width).astype(np.uint8)
        for number in range(count):
            array = np.broadcast_to(ramp[None, :, None], (height, width, 3)).copy()
            array[:, :, 2] = 5 * number
            frame = VideoFrame.from_ndarray(array, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture
def ucf(tmp_path: Path) -> Path:
    names = [f"Jump/v_Jump_g0{n}_c01.avi" for n in range(3)]
    for name in names:
        avi(tmp_path / "UCF-101" / name, 26)
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "trainlist01.txt").write_text("".join(f"{name} 1\n" for name in names[:2]))
    (lists / "testlist01.txt").write_text(f"{names[2]}\n")
    return tmp_path


def test_ucf101_is_cut_as_in_the_papers(ucf: Path) -> None:
    data = UCF101(ucf, patch=(24, 16, 16), batch_size=8)
    data.prepare_data()
    data.setup("fit")
    assert [p.name for p in data.train_paths] == [f"v_Jump_g0{n}_c01.mkv" for n in range(2)]
    assert [p.name for p in data.val_paths] == ["v_Jump_g02_c01.mkv"]
    assert data.val_rows is not None and data.val_rows.features.shape == (64, 24 * 256, 3)
    clip = load(data.val_paths[0])
    assert clip.shape == (24, 128, 128) and clip.layout == "rgb" and clip.rate == 25
    # the middle of a ramp over 320 pixels, at 240 / 128 pixels each
    wanted = (40 + 240 / 128 * (np.arange(128) + 0.5) - 0.5) * 255 / 319
    assert np.abs(clip.planes[0][3, 64] - wanted).max() < 6
    assert abs(float(clip.planes[2][20].mean()) - 100) < 8
    stamps = [path.stat().st_mtime_ns for path in data.train_paths]
    data.prepare_data()
    assert stamps == [path.stat().st_mtime_ns for path in data.train_paths]
    some = UCF101(ucf, train_clips=1)
    assert len(some.files()[0]) == 1


def test_ucf101_says_what_is_missing(ucf: Path, tmp_path: Path) -> None:
    with pytest.raises(SignalError, match=r"testlist02.txt|trainlist02.txt.*unpack"):
        UCF101(ucf, split=2).prepare_data()
    (ucf / "UCF-101/Jump/v_Jump_g02_c01.avi").unlink()
    with pytest.raises(SignalError, match=r"v_Jump_g02_c01.avi: no such file; unpack"):
        UCF101(ucf).prepare_data()
    avi(ucf / "UCF-101/Jump/v_Jump_g02_c01.avi", 20)
    with pytest.raises(SignalError, match="fewer than 24 of 240"):
        UCF101(ucf).prepare_data()
    with pytest.raises(UsageError):
        UCF101(ucf, split=4)
    with pytest.raises(UsageError):
        UCF101(ucf, val_clips=0)
