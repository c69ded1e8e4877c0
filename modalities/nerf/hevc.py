"""The baseline: the views themselves, as a video of HEVC."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inrc.errors import SignalError
from inrc.signal import Baseline
from inrc_modalities.nerf import files, video
from inrc_modalities.nerf.scene import Scene, See

QUALITIES = (51.0, 46.0, 41.0, 36.0, 31.0, 26.0, 21.0)
"""x265's CRF, which ends at 51."""

_CONTAINER = "hevc"  # none: a raw stream, the smallest
_SMALLEST = 64
"""Pixels of a side: below it, x265 has crashed when it predicts between pictures."""


def baselines(see: See) -> list[Baseline]:
    """HEVC (x265, preset slow, full-resolution colour) of all views of a scene file.

    The file's own views are stored: it can show no others. The cameras are taken from the original
    and are not counted.
    """

    def encode(original: Path, quality: float) -> bytes:
        scene = files.load(original)
        count = len(scene.cameras)
        levels = np.stack([_levels(see, scene, number) for number in range(count)])
        more = [max(_SMALLEST - side, 0) + side % 2 for side in scene.cameras.size]
        levels = np.pad(levels, ((0, 0), (0, more[0]), (0, more[1]), (0, 0)), mode="edge")
        options = {
            "crf": f"{quality:g}",
            "preset": "slow",
            # info: the settings as text, 1 kB of no use to a decoder; no threads beside this one
            "x265-params": "info=0:log-level=none:pools=none:frame-threads=1:wpp=0",
        }
        coding = video.Coding("libx265", "yuv444p", 1, options)
        return video.encode(levels, coding, _CONTAINER)

    def decode(data: bytes, original: Path, decoded: Path) -> None:
        cameras = files.load(original).cameras
        levels = video.decode(data, *cameras.size, _CONTAINER)
        if len(levels) != len(cameras):
            raise SignalError(f"{original}: {len(cameras)} views, but {len(levels)} were stored")
        files.save(cameras, levels, decoded)

    return [Baseline("HEVC", "CRF", QUALITIES, encode, decode)]


def _levels(see: See, scene: Scene, number: int) -> NDArray[np.uint8]:
    return (see(scene, number) * 255.0 + 0.5).astype(np.uint8)
