"""Small scenes drawn from a seed: a table with a box and a ball or two, and cameras around it."""

import json
import shutil
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from inrc_modalities.nerf import blender, orbit
from inrc_modalities.nerf.cameras import Cameras
from inrc_modalities.nerf.solids import Solid, seen

VIEWS = 20
SIDE = 32
FOCAL = 1.1
"""Of the side: a field of view of 49 degrees, so that the ball of the sample fills a view."""
REACH = 1.25
"""Radius of the ball around the origin that holds every scene."""

_VERSION = 1  # of the scenes: raise it when they change, so that old samples are drawn anew
_STAMP = "sample.stamp"
_DECISIVE = ("near", "far", "bound", "background", "frames")  # settings that the pictures show


@runtime_checkable
class Stage(Protocol):
    """What a scene is made for: where rays go, and over what background."""

    near: float
    far: float
    bound: float
    background: list[float]

    def settings(self) -> dict[str, Any]:
        """All of it, plain values."""
        ...

    def path(self, cameras: Cameras) -> list[int]:
        """The circle on which a scene with these cameras is shown."""
        ...

    def turntable(self, size: tuple[int, int], focal: float, path: list[int]) -> Cameras:
        """The cameras on a circle."""
        ...


def write(modality: Stage, folder: Path, seed: int, count: int) -> list[Path]:
    """Write `count` scenes in Blender's layout, or leave them if they are there already.

    Scene i depends on the seed and i only. Cameras are in the middle of near and far, and the
    held-out views are those of the default decoding, a turntable.
    """
    paths = []
    for number in range(count):
        home = folder / f"scene-{seed}-{number:03d}"
        paths.append(home / "transforms_train.json")
        wanted = json.dumps([_VERSION, {key: modality.settings()[key] for key in _DECISIVE}])
        stamp = home / _STAMP
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            continue
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        solids = drawn(seed, number, scale(modality))
        train = around(modality, seed, number)
        held = modality.turntable(train.size, train.focal, modality.path(train))
        for name, cameras in (("train", train), ("test", held)):
            levels = views(modality, solids, cameras)
            blender.save(cameras, levels, home / f"transforms_{name}.json")
        stamp.write_text(wanted, encoding="utf-8")
    return paths


def scale(modality: Stage) -> float:
    """Units of the modality per unit of the sample: scenes fill the ball."""
    return modality.bound / REACH


def drawn(seed: int, number: int, scale: float) -> list[Solid]:
    """The solids of scene `number`, in a ball of radius REACH times `scale`."""
    rng = np.random.default_rng((seed, number))
    table = Solid(True, np.array([0.0, 0.0, -0.5]), np.array([0.75, 0.75, 0.08]),
                  0.0, 12.0, rng.uniform(0.25, 0.6, 3))  # fmt: skip
    turn = rng.uniform(0.0, 2.0 * np.pi)
    away = np.array([np.cos(turn), np.sin(turn), 0.0]) * rng.uniform(0.3, 0.42)
    side, radius = rng.uniform(0.22, 0.36), rng.uniform(0.26, 0.4)
    lift = np.array([0.0, 0.0, -0.42])
    tall = np.array([1.0, 1.0, rng.uniform(0.8, 1.6)]) * side
    box = Solid(True, away + lift + np.array([0.0, 0.0, tall[2]]), tall,
                rng.uniform(0.0, 0.5 * np.pi), 14.0, _vivid(rng))  # fmt: skip
    ball = Solid(False, -away + lift + np.array([0.0, 0.0, radius]), np.full(3, radius),
                 0.0, 10.0, _vivid(rng))  # fmt: skip
    return [
        Solid(s.box, s.centre * scale, s.size * scale, s.turn, s.density / scale, s.colour)
        for s in (table, box, ball)
    ]


def around(modality: Stage, seed: int, number: int) -> Cameras:
    """Cameras evenly on the upper part of a sphere, in a random order of azimuths."""
    rng = np.random.default_rng((seed, number, 1))
    # stratified in height and azimuth: no scene is without a view from some side
    height = np.sin(np.radians(10.0)) + (np.arange(VIEWS) + rng.uniform(size=VIEWS)) / VIEWS * (
        np.sin(np.radians(65.0)) - np.sin(np.radians(10.0))
    )
    azimuth = 2.0 * np.pi * (rng.permutation(VIEWS) + rng.uniform(size=VIEWS)) / VIEWS
    flat = np.sqrt(1.0 - height**2)
    back = torch.from_numpy(np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), height], -1))
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    away = 0.5 * (modality.near + modality.far)
    # as wide an angle as the ball is seen under, whatever near, far and bound are
    focal = FOCAL * SIDE * 0.5 * away / (modality.bound * 1.1)
    return Cameras(orbit.looking(away * back, back, up), (SIDE, SIDE), focal)


def views(modality: Stage, solids: list[Solid], cameras: Cameras) -> NDArray[np.uint8]:
    """The pictures V H W 3 that cameras take, one exact ray per pixel."""
    rays = cameras.every().double().numpy()
    colours = seen(solids, rays[:, :3], rays[:, 3:6], np.asarray(modality.background))
    return (colours * 255.0 + 0.5).astype(np.uint8).reshape(len(cameras), *cameras.size, 3)


def _vivid(rng: np.random.Generator) -> NDArray[np.float64]:
    """A colour that is not grey."""
    hue = rng.uniform(0.0, 2.0 * np.pi) + np.array([0.0, 2.0, 4.0]) * np.pi / 3.0
    return np.asarray(0.5 + 0.42 * np.cos(hue))
