"""The layout of Scene Representation Networks (arXiv:1906.01618): intrinsics.txt, pose/, rgb/.

Their cameras look along +z with y down, as OpenCV's do.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.files import explained
from inrc_modalities.nerf import pictures
from inrc_modalities.nerf.cameras import Cameras, checked
from inrc_modalities.nerf.scene import Scene, measurable

NAME = "intrinsics.txt"
KIND = "an intrinsics.txt of a scene with folders rgb and pose"

_TURN = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)  # OpenCV's axes in OpenGL's
_MAX_BYTES = 1 << 16  # of a text


def load(path: Path) -> Scene:
    """Read the cameras of a scene; `path` is its intrinsics.txt.

    Raises:
        SignalError: a file of another kind, a view without a pose, or lenses of single views.
    """
    with explained(path, KIND):
        numbers = _numbers(path)
    if len(numbers) < 6:
        raise SignalError(f"{path}: not {KIND}: it has {len(numbers)} numbers, not 6 or more")
    # f cx cy 0 / barycentre / near plane [/ scale] / height width of the unscaled pictures
    focal, cx, cy = numbers[:3]
    high, wide = numbers[-2:]
    if (path.parent / "intrinsics").exists():
        raise SignalError(f"{path}: its views have lenses of their own (intrinsics); keep one lens")
    views = _views(path)
    if not views:
        raise SignalError(f"{path}: no pictures in {path.parent / 'rgb'}; put the views there")
    height, width = pictures.size(views[0])
    if not (high > 0 and wide > 0 and abs(height * wide - width * high) < 1e-3 * height * wide):
        raise SignalError(
            f"{path}: describes pictures of {wide:g} by {high:g} pixels, but the first view has "
            f"{width} by {height}; resize the pictures"
        )
    if max(abs(cx - 0.5 * wide), abs(cy - 0.5 * high)) > 0.02 * wide:
        raise SignalError(f"{path}: its axis is not in the middle of the picture; crop the views")
    focal = float(np.float32(focal * width / wide))
    measurable(path, len(views), height, width, focal)
    poses = []
    for view in views:
        place = path.parent / "pose" / f"{view.stem}.txt"
        with explained(place, "a pose of 16 numbers"):
            matrix = _numbers(place)
            poses.append(torch.tensor(matrix, dtype=torch.float64).reshape(4, 4) * _TURN)
    cameras = Cameras(checked(torch.stack(poses), str(path)), (height, width), focal)
    return Scene(path, cameras, lambda number: pictures.load(views[number], cameras.size))


def losses(path: Path) -> list[str]:
    """What the pictures of a scene hold beside their colours, in short phrases.

    Raises:
        SignalError: as `load`, or a picture that cannot be read.
    """
    load(path)
    return pictures.losses(_views(path))


def save(cameras: Cameras, levels: NDArray[np.uint8], path: Path) -> None:
    """Write views V H W 3 to a folder rgb beside `path`, and their poses to a folder pose."""
    height, width = cameras.size
    try:
        for folder in ("rgb", "pose"):
            (path.parent / folder).mkdir(exist_ok=True)
        for number, (pose, view) in enumerate(zip(cameras.poses.double(), levels, strict=True)):
            pictures.save(view, path.parent / "rgb" / f"{number:06d}.png")
            matrix = [*(pose * _TURN).flatten().tolist(), 0.0, 0.0, 0.0, 1.0]
            text = " ".join(repr(value) for value in matrix)
            (path.parent / "pose" / f"{number:06d}.txt").write_text(text, encoding="utf-8")
        said = (
            f"{cameras.focal!r} {0.5 * width} {0.5 * height} 0.\n0. 0. 0.\n1.\n{height} {width}\n"
        )
        path.write_text(said, encoding="utf-8")
    except OSError as error:
        raise SignalError(f"{path}: cannot be written ({error})") from None


def _views(path: Path) -> list[Path]:
    beside = (path.parent / "rgb").glob("*")
    return sorted(each for each in beside if each.suffix in pictures.ENDINGS)


def _numbers(path: Path) -> list[float]:
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError("too long")
    numbers = [float(word) for word in path.read_text(encoding="utf-8").split()]
    if not np.isfinite(numbers).all():
        raise ValueError("numbers that are not finite")
    return numbers
