"""Scenes as .npz archives: images, poses and focal, as NeRF's tiny example has them."""

import math
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.files import explained
from inrc_modalities.nerf.cameras import Cameras, checked
from inrc_modalities.nerf.lens import describes_lens
from inrc_modalities.nerf.scene import Scene, measurable

KIND = "an .npz with images, poses and focal"
NAMES = ("images", "poses", "focal")
MAX_BYTES = 1 << 31
"""Of the images, which are read into memory."""
_LENSES = ("K", "Ks", "intrinsics", "distortion")
_RATIO = 1032  # deflate makes at most so many bytes of one (zlib, technical details)


def load(path: Path) -> Scene:
    """Read an archive; what it declares is checked before any array is made.

    `images` are V H W 3 or V H W 4, uint8 or floats in [0, 1]; `poses` V 4 4 or V 3 4; `focal` is
    one number, in pixels.

    Raises:
        SignalError: a file of another kind, or arrays that do not fit together.
    """
    with explained(path, KIND):
        shapes = _declared(path)
        with np.load(path, allow_pickle=False) as file:
            focal = float(np.float32(np.asarray(file["focal"], np.float64).reshape(())))
            views, height, width = shapes["images"][:3]
            measurable(path, views, height, width, focal)
            poses = torch.from_numpy(np.asarray(file["poses"], np.float64))
            images = file["images"]
    if images.dtype != np.uint8:
        low, high = float(images.min()), float(images.max())
        if not (math.isfinite(low) and -1e-3 <= low and high <= 1.0 + 1e-3):
            raise SignalError(f"{path}: images of {low:g} to {high:g}; give uint8, or 0 to 1")
    if poses.shape[1] == 3:
        last = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=poses.dtype)
        poses = torch.cat([poses, last.expand(len(poses), 1, 4)], dim=1)
    cameras = Cameras(checked(poses, str(path)), (height, width), focal)

    def picture(number: int) -> NDArray[np.float32]:
        view = images[number]
        if view.dtype == np.uint8:
            return np.asarray(view.astype(np.float32) / np.float32(255.0))
        return np.clip(view.astype(np.float32), 0.0, 1.0)

    return Scene(path, cameras, picture)


def losses(path: Path) -> list[str]:
    """What an archive holds beside views and their cameras, in short phrases."""
    scene = load(path)
    with explained(path, KIND), np.load(path, allow_pickle=False) as file:
        others = sorted(set(file.files) - set(NAMES))
        deep = file["images"].dtype != np.uint8
    phrases = ["opacity (seen over the background)"] if scene.picture(0).shape[2] == 4 else []
    if deep:
        phrases.append("levels between those of 8 bits")
    return phrases + ([f"arrays {', '.join(others)}"] if others else [])


def save(cameras: Cameras, levels: NDArray[np.uint8], path: Path) -> None:
    """Write views V H W 3 and their cameras."""
    last = np.broadcast_to(np.array([0, 0, 0, 1], np.float32), (len(cameras), 1, 4))
    poses = np.concatenate([cameras.poses.numpy(), last], axis=1)
    try:
        with path.open("wb") as file:
            np.savez_compressed(file, images=levels, poses=poses, focal=np.float32(cameras.focal))
    except OSError as error:
        raise SignalError(f"{path}: cannot be written ({error})") from None


def _declared(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays, from their headers."""
    shapes = {}
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        if own := sorted(name for name in entries if describes_lens(name) or name in _LENSES):
            raise SignalError(
                f"{path}: array {own[0]!r} is a lens, which only `focal` may state; undistort the "
                "views, and remove it"
            )
        for name in NAMES:
            if name not in entries:
                raise SignalError(f"{path}: has no array {name!r}; {KIND} is needed")
            size = min(entries[name].file_size, _RATIO * entries[name].compress_size)
            with archive.open(f"{name}.npy") as member:
                version = npy.read_magic(member)  # type: ignore[no-untyped-call]
                read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                shape, _, dtype = read(member)  # type: ignore[no-untyped-call]
            levels = dtype == np.uint8 if name == "images" else dtype.kind in "ui"
            if not (levels or dtype.kind == "f"):
                raise SignalError(f"{path}: {name} of type {dtype}; give uint8, or floats 0 to 1")
            if math.prod(shape) * dtype.itemsize > min(MAX_BYTES, size):
                raise SignalError(
                    f"{path}: {name} of {shape} are more than {MAX_BYTES} bytes, or truncated"
                )
            shapes[name] = tuple(shape)
    images, poses, focal = (shapes[name] for name in NAMES)
    if len(images) != 4 or images[3] not in (3, 4) or math.prod(images) == 0:
        raise SignalError(f"{path}: images of shape {images}; they must be V H W 3 or V H W 4")
    if poses not in ((images[0], 3, 4), (images[0], 4, 4)):
        raise SignalError(f"{path}: poses of shape {poses} do not fit {images[0]} images")
    if math.prod(focal) != 1:
        raise SignalError(f"{path}: {math.prod(focal)} focal lengths; there must be one")
    return shapes
