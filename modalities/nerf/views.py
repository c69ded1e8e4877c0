"""The cameras that a decoder renders."""

from collections.abc import Mapping
from typing import Any

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.nerf import files, header
from inrc_modalities.nerf.cameras import Cameras

MAX_RAYS = 1 << 24
"""Rays that are decoded at once, 26 views of 800 by 800: 0.9 GB of queries and colours."""


def cameras(meta: Mapping[str, Any], view: View, default: Cameras) -> Cameras:
    """The cameras of a view: those of another file, those of the header, or the default.

    Args:
        meta: a checked header.
        view: `at` names a scene file, `region` a range of views by number, `scale` multiplies the
            pixels along both sides.
        default: where neither the view nor the header has cameras.

    Raises:
        SignalError: a scale that is not positive, an unknown axis, no view, or too many pixels.
    """
    size, poses = meta["size"], header.poses(meta)
    chosen = default
    if view.at is not None:
        chosen = files.load(view.at).cameras
    elif poses is not None:
        chosen = Cameras(poses, (size[0], size[1]), meta["focal"])
    for low, high in view.intervals(("view",)).values():
        chosen = chosen.between(low, high)
    if view.scale is not None:
        chosen = chosen.resized(view.scale)
    if len(chosen) * chosen.pixels > MAX_RAYS:
        raise SignalError(
            f"{len(chosen)} views of {chosen.size[1]} by {chosen.size[0]} pixels are more than "
            f"{MAX_RAYS:,} rays at once; decode some of them (--region view=0:10) or smaller ones"
        )
    return chosen
