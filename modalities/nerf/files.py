"""Scene files of every layout: which reader and writer a name asks for."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc_modalities.nerf import arrays, blender, srn, video
from inrc_modalities.nerf.cameras import Cameras
from inrc_modalities.nerf.scene import Scene

Save = Callable[[Cameras, NDArray[np.uint8], Path], None]


@dataclass(frozen=True)
class Layout:
    """How scenes of a suffix are read and written."""

    load: Callable[[Path], Scene]
    save: Save
    losses: Callable[[Path], list[str]]


LAYOUTS = {
    ".json": Layout(blender.load, blender.save, blender.losses),
    ".npz": Layout(arrays.load, arrays.save, arrays.losses),
    ".txt": Layout(srn.load, srn.save, srn.losses),
}

_TRAIN = re.compile(r"(^|[_.-])train$")
_HELD_OUT = re.compile(r"(^|[_.-])(test|val)$")


def load(path: Path) -> Scene:
    """Read a scene, layout by suffix.

    Raises:
        SignalError: a file that cannot be read, in one line that names it.
    """
    return _layout(path).load(path)


def losses(path: Path) -> list[str]:
    """What a scene file holds beside views and their cameras, in short phrases."""
    return _layout(path).losses(path)


def _layout(path: Path) -> Layout:
    layout = LAYOUTS.get(path.suffix.lower())
    if layout is None:
        raise SignalError(f"{path}: not a scene; use one of {', '.join(LAYOUTS)}")
    return layout


def save(cameras: Cameras, levels: NDArray[np.uint8], path: Path) -> None:
    """Write views V H W 3, layout or video by suffix.

    Raises:
        SignalError: another suffix, or a failing disk.
    """
    suffix = path.suffix.lower()
    if suffix in video.FORMATS:
        video.save(levels, path)
    elif suffix in LAYOUTS:
        LAYOUTS[suffix].save(cameras, levels, path)
    else:
        known = ", ".join([*LAYOUTS, *video.FORMATS])
        raise SignalError(f"{path}: cannot write {path.suffix!r}; use one of {known}")


def held_out(path: Path) -> Path | None:
    """The held-out views: X_test (or X_val) beside X_train; None where there is no such file."""
    for name in ("test", "val"):
        stem, replaced = _TRAIN.subn(rf"\g<1>{name}", path.stem)
        other = path.with_name(stem + path.suffix)
        if replaced and other.is_file():
            return other
    return None


def is_scene(path: Path) -> bool:
    """Whether a file is a scene to learn, and not the held-out views of one beside it."""
    known = path.suffix.lower() in (".json", ".npz") or path.name == srn.NAME
    return known and _HELD_OUT.search(path.stem) is None
