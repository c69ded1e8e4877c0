"""The lens of a scene, from what a transforms.json states at its top and in its frames."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inrc.errors import SignalError

PINHOLES = ("PERSPECTIVE", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
"""Camera models of COLMAP and nerfstudio that are pinholes where all distortion is 0."""

_FOCAL = ("fl_x", "fl_y", "camera_angle_x", "camera_angle_y", "x_fov", "y_fov")
_DISTORTION = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
_OTHER_LENSES = ("is_fisheye", "latlong", "equirectangular", "orthographic")  # instant-ngp's
_MOVING = ("transform_matrix_start", "transform_matrix_end")  # instant-ngp's, in frames
_KEYS = frozenset(
    [
        *("w", "h", "cx", "cy", "camera_model", "distortion_params", "rolling_shutter"),
        *(*_FOCAL, *_DISTORTION, *_OTHER_LENSES, *_MOVING),
    ]
)

_SQUARE = 5e-3  # relative difference of the focal lengths along x and y
_SAME = 1e-3  # relative difference of one number between frames: half a pixel in 1000
_OFF_CENTRE = 0.02  # of the width: distance of the optical axis from the middle of the picture
_DISTORTED = 1e-3  # a coefficient that moves the corner of a picture by about a pixel


def focal(
    path: Path, top: Mapping[str, Any], frames: Sequence[Mapping[str, Any]], size: tuple[int, int]
) -> float:
    """The focal length in pixels of the lens that all views share.

    An entry of a frame counts like one at the top of the file. All frames must agree.

    Args:
        path: the file, for messages.
        top: entries of the whole file.
        frames: entries of every view.
        size: height and width of the pictures.

    Raises:
        SignalError: frames with different lenses, or a lens that is not an undistorted pinhole with
            square pixels and its axis in the middle of the picture.
    """
    shared = _entries(top)
    lenses = [{**shared, **_entries(frame)} for frame in frames]
    for number, lens in enumerate(lenses):
        # the first frame stands for all, and no frame may contradict the top of the file
        for other in (lenses[0], {**lens, **shared}):
            for key in sorted(lens.keys() | other.keys()):
                if not _equal(lens.get(key), other.get(key)):
                    raise SignalError(
                        f"{path}: frame {number} has another lens ({key}: {lens.get(key)!r:.40} "
                        f"and {other.get(key)!r:.40}); keep the views of one camera per file"
                    )
    return _pinhole(path, lenses[0], size)


def describes_lens(key: str) -> bool:
    """Whether an entry of a transforms.json describes a lens."""
    return key in _KEYS or key.startswith("ftheta")


def _entries(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in said.items() if each is not None and describes_lens(key)}


def _equal(one: object, other: object) -> bool:
    if one is other or one == other:  # the first for NaN, which is refused later
        return True
    if not (isinstance(one, int | float) and isinstance(other, int | float)):
        return False
    return abs(one - other) <= _SAME * max(abs(one), abs(other))


def _pinhole(path: Path, lens: Mapping[str, Any], size: tuple[int, int]) -> float:
    """The focal length of a checked lens."""
    height, width = size
    model = lens.get("camera_model")
    other = [key for key in _OTHER_LENSES if lens.get(key)]
    other += [key for key in lens if key.startswith("ftheta")]  # NVIDIA's fisheye, in instant-ngp
    if other or (model is not None and model not in PINHOLES):
        raise SignalError(
            f"{path}: its lens is {other[0] if other else model!r:.40}; convert its pictures to "
            "those of a pinhole camera first"
        )
    if any(key in lens for key in _MOVING) or np.any(lens.get("rolling_shutter", 0.0)):
        raise SignalError(f"{path}: its camera moves during a picture; give one pose per frame")
    for key, side in (("w", width), ("h", height)):
        if _number(path, lens, key, side) != side:
            raise SignalError(
                f"{path}: {key} is {lens[key]:g}, but its first view has {width} by {height} "
                "pixels; correct it"
            )
    across = _lengths(path, lens, "x", width)
    if not across:
        raise SignalError(f"{path}: has no focal length; state fl_x or camera_angle_x")
    length = across[0]
    if any(abs(other - length) > _SQUARE * length for other in across[1:]):
        raise SignalError(f"{path}: fl_x and camera_angle_x contradict each other; remove one")
    if any(abs(o - length) > _SQUARE * length for o in _lengths(path, lens, "y", height)):
        raise SignalError(f"{path}: pixels are not square (fl_x, fl_y); resample its pictures")
    for key, side in (("cx", width), ("cy", height)):
        if abs(_number(path, lens, key, 0.5 * side) - 0.5 * side) > _OFF_CENTRE * width:
            raise SignalError(f"{path}: {key} is not the middle of the picture; crop its pictures")
    listed = lens.get("distortion_params") or []
    bent = [_number(path, lens, key, 0.0) for key in _DISTORTION]
    bent += [_number(path, {"distortion_params": n}, "distortion_params", 0.0) for n in listed]
    if any(abs(n) > _DISTORTED for n in bent):
        raise SignalError(f"{path}: its lens is distorted; undistort its pictures first")
    return float(np.float32(length))


def _lengths(path: Path, lens: Mapping[str, Any], axis: str, side: int) -> list[float]:
    """Every focal length that a lens states along an axis, in pixels."""
    lengths = []
    if lens.get(f"fl_{axis}") is not None:
        lengths.append(_number(path, lens, f"fl_{axis}", 0.0))
    for key, unit in ((f"camera_angle_{axis}", 1.0), (f"{axis}_fov", math.pi / 180.0)):
        if lens.get(key) is not None:
            angle = unit * _number(path, lens, key, 0.0)
            if not 0.0 < angle < math.pi:
                raise SignalError(f"{path}: {key} is {lens[key]!r:.40}; state an angle below pi")
            lengths.append(0.5 * side / math.tan(0.5 * angle))
    return lengths


def _number(path: Path, lens: Mapping[str, Any], key: str, default: float) -> float:
    value = lens.get(key)
    if value is None:
        return default
    if type(value) not in (int, float) or not math.isfinite(value):
        raise SignalError(f"{path}: its {key} is not a number ({value!r:.40})")
    return float(value)
