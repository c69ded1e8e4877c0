"""Blender's layout: transforms_*.json, and the pictures that it names."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.nerf import pictures
from inrc_modalities.nerf.cameras import Cameras, checked
from inrc_modalities.nerf.scene import Scene, explained, measurable

KIND = "a transforms.json with the cameras of a scene"

_LIMIT = 1 << 28  # bytes of JSON: 65,536 poses are 20 MB
_SHOWN = 3  # missing pictures that an error names
_DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")  # instant-ngp's names
_OFF = 0.02  # of the width: how far the optical axis may be from the middle


def load(path: Path) -> Scene:
    """Read the cameras, and find the pictures; the pictures are not decoded yet.

    Raises SignalError if the file is none, its pictures are missing, its poses are singular, or its
    lens is not an undistorted pinhole with square pixels and its axis in the middle.
    """
    with explained(path, KIND):
        if path.stat().st_size > _LIMIT:
            raise SignalError(f"{path}: {path.stat().st_size:,} bytes are not {KIND}")
        said = json.loads(path.read_bytes())
    if not isinstance(said, dict) or not isinstance(said.get("frames"), list):
        raise SignalError(f"{path}: not {KIND}: it has no list of frames")
    frames = said["frames"]
    if not frames:
        raise SignalError(f"{path}: names no views; a scene has at least one")
    files = [_named(path, frame, number) for number, frame in enumerate(frames)]
    absent = [str(file) for file in files if not file.is_file()]
    if absent:
        more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
        raise SignalError(
            f"{path}: names {len(absent)} pictures that are not there "
            f"({', '.join(absent[:_SHOWN])}{more}); put them there, or take them out of it"
        )
    height, width = pictures.size(files[0])
    focal = _focal(path, said, height, width)
    measurable(path, len(files), height, width, focal)
    poses = checked(_matrices(path, frames), str(path))
    cameras = Cameras(poses, (height, width), focal)

    def picture(number: int) -> NDArray[np.float32]:
        return pictures.load(files[number], cameras.size)

    return Scene(path, cameras, picture)


def save(cameras: Cameras, levels: NDArray[np.uint8], path: Path) -> None:
    """Write views V H W 3 as PNGs in a folder beside `path`, named like it, and the cameras."""
    height, width = cameras.size
    frames = []
    try:
        folder = path.with_suffix("")
        folder.mkdir(exist_ok=True)
        for number, (pose, view) in enumerate(zip(cameras.poses.tolist(), levels, strict=True)):
            pictures.save(view, folder / f"r_{number}.png")
            frames.append(
                {
                    "file_path": f"./{folder.name}/r_{number}",
                    "transform_matrix": [*pose, [0.0, 0.0, 0.0, 1.0]],
                }
            )
        said = {
            "camera_angle_x": 2.0 * math.atan(0.5 * width / cameras.focal),
            "fl_x": cameras.focal,
            "w": width,
            "h": height,
            "frames": frames,
        }
        path.write_text(json.dumps(said, indent=1), encoding="utf-8")
    except OSError as error:
        raise SignalError(f"{path}: cannot be written ({error})") from None


def _named(path: Path, frame: object, number: int) -> Path:
    """The picture of a frame; Blender's exporters leave the suffix out."""
    if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str):
        raise SignalError(f"{path}: frame {number} names no picture (file_path)")
    name = frame["file_path"]
    if "\0" in name:
        raise SignalError(f"{path}: frame {number} names a picture that no disk can hold")
    file = path.parent / name
    if file.suffix.lower() in pictures.ENDINGS:
        return file
    found = (file.with_name(file.name + ending) for ending in pictures.ENDINGS)
    return next((each for each in found if each.is_file()), file.with_name(f"{file.name}.png"))


def _matrices(path: Path, frames: list[dict[str, Any]]) -> torch.Tensor:
    poses = []
    for number, frame in enumerate(frames):
        matrix = frame.get("transform_matrix")
        try:
            array = np.asarray(matrix, np.float64)
        except (TypeError, ValueError):
            array = np.empty(0)
        if array.shape not in ((3, 4), (4, 4)):
            raise SignalError(
                f"{path}: frame {number} has no transform_matrix of 4 by 4 numbers (a pose)"
            )
        last = [[0.0, 0.0, 0.0, 1.0]] if array.shape == (3, 4) else np.empty((0, 4))
        poses.append(np.concatenate([array, last]))
    return torch.from_numpy(np.stack(poses))


def _focal(path: Path, said: Mapping[str, Any], height: int, width: int) -> float:
    """Focal length in pixels, with the sizes and lenses that are said checked."""

    def number(key: str, default: float | None) -> float | None:
        value = said.get(key, default)
        if value is None:
            return None
        if type(value) not in (int, float) or not math.isfinite(value):
            raise SignalError(f"{path}: its {key} is not a number ({value!r:.40})")
        return float(value)

    wide, high = number("w", width), number("h", height)
    if wide != width or high != height:
        raise SignalError(
            f"{path}: says {wide:g} by {high:g} pixels, but its first view has {width} by {height}"
        )
    focal, angle = number("fl_x", None), number("camera_angle_x", None)
    if focal is None:
        if angle is None or not 0.0 < angle < math.pi:
            raise SignalError(f"{path}: has neither fl_x nor a camera_angle_x between 0 and pi")
        focal = 0.5 * width / math.tan(0.5 * angle)
    if abs((number("fl_y", focal) or 0.0) - focal) > 5e-3 * focal:
        raise SignalError(f"{path}: fl_x and fl_y differ; only square pixels can be read")
    for key, middle in (("cx", 0.5 * width), ("cy", 0.5 * height)):
        if abs((number(key, middle) or 0.0) - middle) > _OFF * width:
            raise SignalError(f"{path}: {key} is not the middle of the picture; crop its pictures")
    if any(abs(number(key, 0.0) or 0.0) > 1e-3 for key in _DISTORTION):
        raise SignalError(f"{path}: its lens is distorted; undistort its pictures first")
    return float(np.float32(focal))
