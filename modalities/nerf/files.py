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


LAYOUTS = {
    ".json": Layout(blender.load, blender.save),
    ".npz": Layout(arrays.load, arrays.save),
    ".txt": Layout(srn.load, srn.save),
}

_TRAIN = re.compile(r"(^|[_.-])train$")
_HELD = re.compile(r"(^|[_.-])(test|val)$")


def load(path: Path) -> Scene:
    """Read a scene, layout by suffix. Raises SignalError for whatever is wrong."""
    layout = LAYOUTS.get(path.suffix.lower())
    if layout is None:
        raise SignalError(f"{path}: not a scene; use one of {', '.join(LAYOUTS)}")
    return layout.load(path)


def save(cameras: Cameras, levels: NDArray[np.uint8], path: Path) -> None:
    """Write views V H W 3, layout or video by suffix. Raises SignalError for another suffix."""
    suffix = path.suffix.lower()
    if suffix in video.FORMATS:
        video.save(levels, path)
    elif suffix in LAYOUTS:
        LAYOUTS[suffix].save(cameras, levels, path)
    else:
        known = ", ".join([*LAYOUTS, *video.FORMATS])
        raise SignalError(f"{path}: cannot write {path.suffix!r}; use one of {known}")


def held_out(path: Path) -> Path | None:
    """The views that nobody trains on: X_test (or X_val) beside X_train; None if there are none."""
    for name in ("test", "val"):
        stem, found = _TRAIN.subn(rf"\g<1>{name}", path.stem)
        other = path.with_name(stem + path.suffix)
        if found and other.is_file():
            return other
    return None


def is_scene(path: Path) -> bool:
    """Whether a file is a scene to learn, and not the held-out views of one beside it."""
    known = path.suffix.lower() in (".json", ".npz") or path.name == srn.NAME
    return known and _HELD.search(path.stem) is None
