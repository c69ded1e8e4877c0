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
from inrc.files import explained
from inrc_modalities.nerf import lens, pictures
from inrc_modalities.nerf.cameras import Cameras, checked
from inrc_modalities.nerf.scene import Scene, measurable

KIND = "a transforms.json with the cameras of a scene"

_MAX_BYTES = 1 << 28  # of JSON: 65,536 poses are 20 MB
_MAX_NAMES = 3  # pictures or entries that a message names


def load(path: Path) -> Scene:
    """Read the cameras, and find the pictures; the pictures are not decoded yet.

    Raises:
        SignalError: a file of another kind, missing pictures, singular poses, or views that do not
            share one undistorted pinhole with square pixels and its axis in the middle.
    """
    with explained(path, KIND):
        said = described(path)
        return _scene(path, said, said["frames"])


def described(path: Path) -> dict[str, Any]:
    """What a transforms.json states; its frames are a list of at least one.

    Raises:
        SignalError: a file of another kind, or one without frames.
    """
    with explained(path, KIND):
        if path.stat().st_size > _MAX_BYTES:
            raise SignalError(f"{path}: {path.stat().st_size:,} bytes are not {KIND}")
        said = json.loads(path.read_bytes())
    if not isinstance(said, dict) or not isinstance(said.get("frames"), list):
        raise SignalError(f"{path}: not {KIND}: it has no list of frames")
    if not said["frames"]:
        raise SignalError(f"{path}: has no frames; add at least one view")
    if not all(isinstance(frame, dict) for frame in said["frames"]):
        raise SignalError(f"{path}: not {KIND}: its frames are not objects")
    return said


def _scene(path: Path, said: Mapping[str, Any], frames: list[dict[str, Any]]) -> Scene:
    files = [named(path, frame, number) for number, frame in enumerate(frames)]
    absent = [str(file) for file in files if not file.is_file()]
    if absent:
        more = f" and {len(absent) - _MAX_NAMES} more" if len(absent) > _MAX_NAMES else ""
        raise SignalError(
            f"{path}: {len(absent)} pictures are missing ({', '.join(absent[:_MAX_NAMES])}{more}); "
            "put them there, or remove their frames"
        )
    height, width = pictures.size(files[0])
    focal = lens.focal(path, said, frames, (height, width))
    measurable(path, len(files), height, width, focal)
    poses = checked(_matrices(path, frames), str(path))
    cameras = Cameras(poses, (height, width), focal)
    return Scene(path, cameras, lambda number: pictures.load(files[number], cameras.size))


def losses(path: Path) -> list[str]:
    """What a file and its pictures hold beside views and their cameras, in short phrases.

    Raises:
        SignalError: as `load`, or a picture that cannot be read.
    """
    said = described(path)
    load(path)
    phrases = pictures.losses([named(path, f, n) for n, f in enumerate(said["frames"])])
    own = {"frames", "file_path", "transform_matrix"}
    keys = {key for entries in (said, *said["frames"]) for key in entries} - own
    others = sorted(key for key in keys if not lens.describes_lens(key))
    if others:
        phrases.append(
            f"entries {', '.join(others[:_MAX_NAMES])}{', ...' * (len(others) > _MAX_NAMES)}"
        )
    return phrases


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


def named(path: Path, frame: Mapping[str, Any], number: int) -> Path:
    """The picture of a frame; Blender's exporters leave the suffix out.

    Raises:
        SignalError: a frame without a `file_path`.
    """
    name = frame.get("file_path")
    if not isinstance(name, str) or not name or "\0" in name:
        raise SignalError(f"{path}: frame {number} has no file_path; add the name of its picture")
    file = path.parent / name
    if file.suffix.lower() in pictures.ENDINGS:
        return file
    beside = (file.with_name(file.name + ending) for ending in pictures.ENDINGS)
    return next((each for each in beside if each.is_file()), file.with_name(f"{file.name}.png"))


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
