"""Scenes: files and settings that are refused."""

import json
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from nerf_files import glass, shown

from inrc.errors import SignalError
from inrc_modalities.nerf import NeRF, files


def broken(folder: Path, **changes: Any) -> Path:
    """A small sound scene with some of its description replaced."""
    cameras = shown((6, 6), 5)
    path = folder / "transforms.json"
    files.save(cameras, glass(cameras), path)
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | changes))
    return path


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"frames": []}, "has no frames"),
        ({"frames": None}, "no list of frames"),
        ({"frames": [7]}, "frames are not objects"),
        ({"frames": [{}]}, "frame 0 has no file_path"),
        ({"frames": [{"file_path": "a\0b"}]}, "frame 0 has no file_path"),
        ({"frames": [{"file_path": "transforms/r_0"}]}, "frame 0 has no transform_matrix"),
        ({"frames": [{"file_path": "transforms/r_0", "transform_matrix": [[1, 2], [3]]}]}, "pose"),
        ({"frames": [{"file_path": f"no/{i}"} for i in range(9)]}, "9 pictures.*no/2.png and 6 mo"),
        ({"fl_x": None, "camera_angle_x": 3.2}, "state an angle below pi"),
        ({"fl_x": None, "camera_angle_x": None}, "no focal length"),
        ({"fl_x": math.nan}, "fl_x is not a number"),
        ({"fl_x": 10**400}, "damaged"),
        ({"fl_x": 1e-9, "camera_angle_x": None}, "cannot be right"),
        ({"w": 7}, "w is 7, but its first view has 6 by 6 pixels"),
        ({"h": "6"}, "h is not a number"),
    ],
)
def test_descriptions_that_are_none(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    path = broken(tmp_path, **changes)
    with pytest.raises(SignalError, match=says) as refused:
        NeRF().read(path)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


def bomb(height: int, width: int) -> bytes:
    """A PNG that says it is huge."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    head = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + head + end


@pytest.mark.parametrize(
    ("number", "content", "says"),
    [
        (0, bomb(60000, 60000), "r_0.png.*exceeds limit"),
        (0, bomb(20000, 6), "h is 6, but its first view has 6 by 20000"),
        (2, bomb(60000, 60000), "r_2.png.*exceeds limit"),
        (2, bomb(7, 6), "r_2.png: 6 by 7 pixels, but the first"),
        (2, bomb(6, 6), "r_2.png.*damaged"),
        (2, b"", "r_2.png.*damaged"),
        (2, b"nothing", "r_2.png.*not a PNG"),
    ],
)
def test_pictures_that_are_none(tmp_path: Path, number: int, content: bytes, says: str) -> None:
    path = broken(tmp_path)
    (tmp_path / "transforms" / f"r_{number}.png").write_bytes(content)
    with pytest.raises(SignalError, match=says):
        NeRF().read(path)


def test_pictures_of_16_bits_are_refused(tmp_path: Path) -> None:
    path = broken(tmp_path)
    deep = PIL.Image.fromarray(np.zeros((6, 6), np.uint16))
    deep.save(tmp_path / "transforms" / "r_1.png")
    with pytest.raises(SignalError, match=r"r_1\.png: pixels of kind 'I;16'"):
        NeRF().read(path)


def test_arrays_that_are_none(tmp_path: Path) -> None:
    cameras = shown((6, 6), 2)
    sound: dict[str, Any] = {"images": glass(cameras), "poses": cameras.poses.numpy(), "focal": 8.0}
    path = tmp_path / "a.npz"
    np.savez(path, **sound)
    assert NeRF().read(path).shape == (2, 36)
    np.savez(path, **sound | {"images": sound["images"] / 255.0})
    floats = NeRF().read(path)
    np.savez(path, **sound | {"images": np.concatenate([sound["images"]] * 2, -1)[..., :4]})
    assert NeRF().read(path).features.shape == floats.features.shape
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"images": sound["images"].astype(np.int16)}, "type int16"),
        ({"images": sound["images"].astype(np.float32)}, "images of 0|images of [0-9]+ to 255"),
        ({"images": np.full((2, 6, 6, 3), np.nan)}, "images of nan"),
        ({"images": sound["images"][0]}, "V H W 3"),
        ({"images": sound["images"][..., :2]}, "V H W 3"),
        ({"images": sound["images"][:0], "poses": sound["poses"][:0]}, "V H W 3"),
        ({"poses": sound["poses"][:1]}, "do not fit 2 images"),
        ({"poses": np.zeros((2, 4, 4))}, "singular"),
        ({"focal": [1.0, 2.0]}, "2 focal lengths"),
        ({"focal": math.nan}, "cannot be right"),
        ({"focal": "far"}, "focal of type"),
        ({"focal": np.array([None])}, "focal of type object"),
    ]
    for change, says in wrong:
        np.savez(path, **sound | change)
        with pytest.raises(SignalError, match=says) as refused:
            NeRF().read(path)
        assert str(path) in str(refused.value) and "\n" not in str(refused.value)
    del sound["focal"]
    np.savez(path, **sound)
    with pytest.raises(SignalError, match="no array 'focal'"):
        NeRF().read(path)


def test_an_archive_that_declares_too_much_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((1, 2, 2, 3), np.uint8), poses=shown(views=1).poses, focal=2.0)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["images.npy"] = members["images.npy"].replace(
        b"(1, 2, 2, 3), ", b"(1, 90000, 90000, 3), "
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(SignalError, match=r"a\.npz"):
        NeRF().read(path)
