"""Scenes: what does not come back is listed; damaged bytes are explained."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nerf_files import QUICK, glass, shown

from inrc.errors import SignalError
from inrc_modalities.nerf import NeRF, files

OPACITY = "opacity (seen over the background)"


def scene(folder: Path, name: str = "transforms.json", views: int = 3) -> Path:
    cameras = shown((6, 6), views)
    path = folder / name
    files.save(cameras, glass(cameras), path)
    return path


@pytest.mark.parametrize("name", ["transforms.json", "a.npz", "intrinsics.txt"])
def test_plain_scenes_lose_their_poses_or_nothing(tmp_path: Path, name: str) -> None:
    path = scene(tmp_path, name)
    assert NeRF().losses(path) == ["poses of its views"]
    assert NeRF(cameras=True).losses(path) == []


def test_entries_and_pictures_that_hold_more(tmp_path: Path) -> None:
    path = scene(tmp_path)
    said = json.loads(path.read_text()) | {"aabb_scale": 16, "k1": 0.0}
    for number, frame in enumerate(said["frames"]):
        frame |= {"time": number / 3, "depth_file_path": "d.png", "mask_path": "m.png"}
    path.write_text(json.dumps(said))
    assert NeRF(cameras=True).losses(path) == [
        "entries aabb_scale, depth_file_path, mask_path, ..."
    ]
    plain = scene(tmp_path / "transforms", "b.json") if (tmp_path / "transforms").is_dir() else path
    first = plain.with_suffix("") / "r_0.png"
    PIL.Image.new("RGBA", (6, 6)).save(first, icc_profile=b"a profile")
    content = (first.parent / "r_1.png").read_bytes()
    gamma = b"gAMA" + struct.pack(">I", 100000)
    chunk = struct.pack(">I", 4) + gamma + struct.pack(">I", zlib.crc32(gamma))
    (first.parent / "r_1.png").write_bytes(content[:33] + chunk + content[33:])
    assert NeRF(cameras=True).losses(plain) == [
        OPACITY, "colour profiles of pictures", "gamma of pictures",
    ]  # fmt: skip


def test_arrays_that_hold_more(tmp_path: Path) -> None:
    cameras = shown((6, 6), 2)
    sound: dict[str, Any] = {"images": glass(cameras), "poses": cameras.poses.numpy(), "focal": 8.0}
    path = tmp_path / "a.npz"
    deep = np.concatenate([sound["images"] / 255.0, np.ones((2, 6, 6, 1))], -1)
    np.savez(path, **sound | {"images": deep, "render_poses": sound["poses"]})
    assert NeRF(cameras=True).losses(path) == [
        OPACITY, "levels between those of 8 bits", "arrays render_poses",
    ]  # fmt: skip
    for name in ("K", "k1", "distortion_params", "camera_model", "intrinsics", "fl_x"):
        np.savez(path, **sound | {name: np.zeros(3)})
        with pytest.raises(SignalError, match=rf"a\.npz: array '{name}' is a lens"):
            NeRF().read(path)
    big = {"images": sound["images"].astype(">f4") / 255, "poses": sound["poses"].astype(">f8")}
    np.savez(path, **sound | big)
    one = NeRF(rays=None).read(path).features
    np.savez(path, **sound)
    assert np.allclose(one, NeRF(rays=None).read(path).features, atol=1e-6)


def test_lenses_of_single_views_of_srn_are_refused(tmp_path: Path) -> None:
    path = scene(tmp_path, "intrinsics.txt")
    (tmp_path / "intrinsics").mkdir()
    with pytest.raises(SignalError, match="lenses of their own"):
        NeRF().read(path)


@QUICK
@given(st.data())
def test_damaged_bytes_raise_nothing_but_one_line(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["transforms.json", "a.npz", "intrinsics.txt"]))
    path = scene(tmp_path, name, 2)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[at] = data.draw(st.integers(0, 255))
        else:
            content[at : at + 1] = data.draw(
                st.sampled_from([b"", b"9" * 400, b"[", b"null", b"e"])
            )
        if not content:
            return
    path.write_bytes(content)
    modality = NeRF(rays=20)
    try:
        signal = modality.read(path)
        modality.losses(path)
    except SignalError as error:
        assert str(tmp_path) in str(error) and "\n" not in str(error)
    else:
        assert modality.shape(signal.meta) == signal.shape
