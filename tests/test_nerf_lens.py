"""Scenes: lenses that all views share, and those that are refused."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from nerf_files import glass, shown

from inrc.errors import SignalError
from inrc_modalities.nerf import NeRF, files

FOCAL = 1.7 * 6


def scene(
    folder: Path, top: dict[str, Any], frames: list[dict[str, Any]] | None = None, views: int = 4
) -> Path:
    """A scene of 6 by 6 pixels whose lens is stated as given, and nowhere else."""
    cameras = shown((6, 6), views)
    path = folder / "transforms.json"
    files.save(cameras, glass(cameras), path)
    said = json.loads(path.read_text())
    for key in ("fl_x", "camera_angle_x", "w", "h"):
        del said[key]
    for frame, more in zip(said["frames"], frames or [{}] * views, strict=True):
        frame.update(more)
    path.write_text(json.dumps(said | top))
    return path


ANGLE = 2 * math.atan(3 / FOCAL)


@pytest.mark.parametrize(
    ("top", "frames"),
    [
        ({"fl_x": FOCAL}, {}),
        ({"fl_x": FOCAL, "fl_y": FOCAL * 1.001, "cx": 3.05, "cy": 2.95, "w": 6, "h": 6.0}, {}),
        ({"camera_angle_x": ANGLE}, {}),
        ({"camera_angle_x": ANGLE, "camera_angle_y": ANGLE, "fl_x": FOCAL}, {}),
        ({"x_fov": math.degrees(ANGLE)}, {}),
        ({"fl_x": FOCAL, "camera_model": "OPENCV", "k1": 0, "k2": 0.0, "p1": 0.0}, {}),
        ({"fl_x": FOCAL, "camera_model": "PINHOLE", "is_fisheye": False}, {}),
        ({"fl_x": FOCAL, "rolling_shutter": [0.0, 0.0, 0.0]}, {}),
        ({}, {"fl_x": FOCAL, "fl_y": FOCAL, "w": 6, "h": 6, "distortion_params": [0.0] * 6}),
        ({"fl_x": FOCAL}, {"fl_x": FOCAL * (1 + 1e-5)}),
    ],
)
def test_one_pinhole_is_read_wherever_it_is_stated(
    tmp_path: Path, top: dict[str, Any], frames: dict[str, Any]
) -> None:
    path = scene(tmp_path, top, [frames] * 4)
    assert files.load(path).cameras.focal == pytest.approx(FOCAL, rel=1e-5)
    assert NeRF().read(path).meta["focal"] == pytest.approx(FOCAL, rel=1e-5)


@pytest.mark.parametrize(
    ("top", "says"),
    [
        ({"fl_x": FOCAL, "fl_y": 5.0}, "not square"),
        ({"fl_x": FOCAL, "camera_angle_y": 0.2}, "not square"),
        ({"fl_x": FOCAL, "camera_angle_x": 0.2}, "contradict"),
        ({"fl_x": FOCAL, "cx": 1.0}, "cx is not the middle"),
        ({"fl_x": FOCAL, "cy": 5.0}, "cy is not the middle"),
        *(({"fl_x": FOCAL, key: -0.2}, "distorted") for key in ("k1", "k3", "k6", "p2")),
        ({"fl_x": FOCAL, "distortion_params": [0.0, 0.0, 0.1, 0.0]}, "distorted"),
        ({"fl_x": FOCAL, "camera_model": "OPENCV_FISHEYE"}, "OPENCV_FISHEYE"),
        ({"fl_x": FOCAL, "camera_model": "EQUIRECTANGULAR"}, "EQUIRECTANGULAR"),
        ({"fl_x": FOCAL, "camera_model": 5}, "its lens is 5"),
        ({"fl_x": FOCAL, "is_fisheye": True}, "is_fisheye"),
        ({"fl_x": FOCAL, "orthographic": True}, "orthographic"),
        ({"fl_x": FOCAL, "ftheta_p0": 0.1}, "ftheta_p0"),
        ({"fl_x": FOCAL, "rolling_shutter": [0.0, 0.01, 0.0]}, "moves during a picture"),
    ],
)
@pytest.mark.parametrize("everywhere", [False, True])
def test_other_lenses_are_refused(
    tmp_path: Path, top: dict[str, Any], says: str, everywhere: bool
) -> None:
    path = scene(tmp_path, {}, [top] * 4) if everywhere else scene(tmp_path, top)
    with pytest.raises(SignalError, match=says) as refused:
        NeRF().read(path)
    assert str(refused.value).startswith(str(path)) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("frames", "number"),
    [
        ([{"fl_x": FOCAL + 2 * n} for n in range(4)], 1),
        ([{}, {}, {"camera_angle_x": ANGLE / 2}, {}], 2),
        ([{}, {}, {}, {"k1": 0.3}], 3),
        ([{"cx": 3.0}, {"cx": 3.0}, {"cx": 4.0}, {"cx": 3.0}], 2),
        ([{"w": 6}, {"w": 8}, {"w": 6}, {"w": 6}], 1),
        ([{"camera_model": "PINHOLE"}, {"camera_model": "OPENCV_FISHEYE"}, {}, {}], 1),
        ([{"fl_x": FOCAL / 2}] * 4, 0),  # contradicts the top of the file
    ],
)
def test_a_lens_for_each_view_is_refused(
    tmp_path: Path, frames: list[dict[str, Any]], number: int
) -> None:
    path = scene(tmp_path, {"fl_x": FOCAL}, frames)
    with pytest.raises(SignalError, match=rf"transforms\.json: frame {number} has another lens"):
        NeRF().read(path)


def test_a_camera_that_moves_is_refused(tmp_path: Path) -> None:
    frames = [{"transform_matrix_start": 4 * [[0.0] * 4]} for _ in range(4)]
    with pytest.raises(SignalError, match="moves during a picture"):
        NeRF().read(scene(tmp_path, {"fl_x": FOCAL}, frames))
