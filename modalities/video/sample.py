"""Synthetic clips: leaves that move and occlude each other, in front of a moving camera.

The dead-leaves model (Matheron 1968; Lee, Mumford and Huang 2001), whose statistics are close to
those of photographs, with a depth for every leaf: near ones are larger and cross the picture
faster, as they do for a camera that moves.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inrc.files import write_samples
from inrc_modalities.video.clip import Clip, Colour
from inrc_modalities.video.pixels import averaged, levels, luma
from inrc_modalities.video.writing import save

SIDE = 64
FRAMES = 16
RATE = Fraction(25)
_VERSION = 1
_LEAVES = 160
_RADII = (2.5, 40.0)  # in pixels
_WAVES = 6  # of a texture
_COLOUR = Colour(range=1, matrix=6, primaries=6, transfer=6)  # ITU-R BT.601, limited range

Field = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Texture:
    """A sum of waves over the surface of a leaf; amplitudes fall as in photographs, with 1/f."""

    waves: Field  # n 2, radians per pixel
    phases: Field
    amplitudes: Field

    @classmethod
    def draw(cls, rng: np.random.Generator, contrast: float) -> "Texture":
        """One of `contrast` standard deviations."""
        period = np.exp(rng.uniform(np.log(4.0), np.log(60.0), _WAVES))  # pixels
        angle = rng.uniform(0, 2 * np.pi, _WAVES)
        waves = 2 * np.pi / period[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        amplitudes = period / np.sqrt((period**2).sum() / 2) * contrast
        return cls(waves, rng.uniform(0, 2 * np.pi, _WAVES), amplitudes)

    def at(self, v: Field, u: Field) -> Field:
        """Brightness around 1."""
        total = np.ones_like(u)
        for (ky, kx), phase, amplitude in zip(
            self.waves, self.phases, self.amplitudes, strict=True
        ):
            total += amplitude * np.sin(ky * v + kx * u + phase)
        return np.maximum(total, 0.1)


@dataclass(frozen=True)
class Camera:
    """Position at every frame, in pixels at depth 1, zoom and roll."""

    y: Field
    x: Field
    zoom: Field
    roll: Field

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Camera":
        """A pan, now and then a zoom or a roll, and the tremor of a hand."""
        time = np.arange(FRAMES) - FRAMES / 2
        speed = rng.exponential(1.2) * (rng.random() < 0.8)
        angle = rng.uniform(0, 2 * np.pi)
        tremor = rng.normal(0, 0.25 * (rng.random() < 0.4), (2, FRAMES)).cumsum(axis=1)
        zoom = rng.normal(0, 0.006) * (rng.random() < 0.4)
        roll = rng.normal(0, 0.006) * (rng.random() < 0.3)
        return cls(
            speed * np.sin(angle) * time + tremor[0],
            speed * np.cos(angle) * time + tremor[1],
            np.exp(zoom * time),
            roll * time,
        )


def write(folder: Path, seed: int, count: int) -> list[Path]:
    """Write `count` clips, of which clip i depends on the seed and on i only."""
    paths = [folder / f"video-{seed}-{i:04d}.mkv" for i in range(count)]
    return write_samples(
        folder / f"video-{seed}.json",
        paths,
        {"version": _VERSION, "side": SIDE, "frames": FRAMES},
        lambda i, path: save(draw(np.random.default_rng((seed, i))), path),
    )


def draw(rng: np.random.Generator) -> Clip:
    """One clip in 4:2:0."""
    scene = _scene(rng, Camera.draw(rng))
    scene += rng.normal(0.0, 0.003, scene.shape).astype(
        np.float32
    )  # half a grey level of sensor noise
    # sRGB's transfer curve, roughly: light adds up linearly, files do not
    colours = np.clip(scene, 0.0, 1.0) ** (1 / 2.2) @ luma((0.299, 0.114)).T
    bright = colours[..., 0] * (219 / 255) + 16 / 255
    hues = [
        np.stack([averaged(frame, (2, 2)) for frame in colours[..., i] * (224 / 255) + 128 / 255])
        for i in (1, 2)
    ]
    return Clip(
        (levels(bright), levels(hues[0]), levels(hues[1])),
        "yuv420p",
        RATE,
        Fraction(1, 1000),
        colour=_COLOUR,
    )


def _scene(rng: np.random.Generator, camera: Camera) -> Field:
    """Linear light T H W 3, painted from back to front."""
    palette = _palette(rng)
    grid = np.mgrid[:SIDE, :SIDE].astype(np.float32) - (SIDE - 1) / 2
    y, x = (np.broadcast_to(g, (FRAMES, SIDE, SIDE)) for g in grid)
    cos, sin, zoom = (_over(a) for a in (np.cos(camera.roll), np.sin(camera.roll), camera.zoom))
    y, x = (cos * y - sin * x) / zoom, (sin * y + cos * x) / zoom
    far = 0.25  # of the motion that a leaf at depth 1 shows
    canvas = np.empty((FRAMES, SIDE, SIDE, 3), np.float32)
    ground = Texture.draw(rng, 0.2)
    where = [y + far * _over(camera.y), x + far * _over(camera.x)]
    canvas[:] = ground.at(*where)[..., None] * palette[0]
    still = rng.random() < 0.5
    depths = np.sort(rng.uniform(far, 1.0, _LEAVES))
    low, high = (1.0 / r for r in _RADII)
    for depth in depths:
        # radii as 1/r^2: at this size clips are smoother than the 1/r^3 of scale invariance
        radius = depth**0.5 / rng.uniform(high, low)
        place = rng.uniform(-0.8 * SIDE, 0.8 * SIDE, 2)
        own = rng.normal(0, 0.0 if still or rng.random() < 0.7 else 0.8, 2)
        spin = rng.normal(0, 0.03) * (rng.random() < 0.2)
        shape, round_ = (rng.uniform(0, np.pi), rng.uniform(0.5, 1.0)), rng.random() < 0.5
        colour = palette[rng.integers(len(palette))] * rng.uniform(0.7, 1.3)
        texture = Texture.draw(rng, rng.uniform(0.0, 0.25))
        time = np.arange(FRAMES) - FRAMES / 2
        cy = place[0] + own[0] * time - depth * camera.y
        cx = place[1] + own[1] * time - depth * camera.x
        seen = _window(cy, cx, camera, radius)
        if seen is None:
            continue
        dy, dx = y[seen] - _over(cy), x[seen] - _over(cx)
        cos, sin = _over(np.cos(shape[0] + spin * time)), _over(np.sin(shape[0] + spin * time))
        u, v = dx * cos + dy * sin, dy * cos - dx * sin
        # an ellipse, or nearly a box, whose edge is as wide as a pixel
        a, b = np.square(u), np.square(v / shape[1])
        reach = np.sqrt(a + b) if round_ else np.sqrt(np.sqrt(np.sqrt(a**4 + b**4)))
        cover = np.clip((radius - reach) * shape[1] ** 0.5 + 0.5, 0.0, 1.0)[..., None]
        shade = texture.at(v, u)[..., None] * colour.astype(np.float32)
        canvas[seen] += cover * (shade - canvas[seen])
    return canvas


def _window(
    cy: Field, cx: Field, camera: Camera, radius: float
) -> tuple[slice, slice, slice] | None:
    """Rows and columns that a leaf touches in any frame; None if it touches none."""
    cos, sin, zoom = np.cos(camera.roll), np.sin(camera.roll), camera.zoom
    rows, columns = zoom * (cos * cy + sin * cx), zoom * (cos * cx - sin * cy)
    # a box reaches further than its radius in its corners
    reach = 1.5 * radius * float(zoom.max()) + 2
    window = []
    for centre in (rows + (SIDE - 1) / 2, columns + (SIDE - 1) / 2):
        low = int(max(centre.min() - reach, 0))
        high = int(min(centre.max() + reach + 1, SIDE))
        if low >= high:
            return None
        window.append(slice(low, high))
    return slice(None), window[0], window[1]


def _over(times: Field) -> Field:
    """A number for every frame, to be combined with T H W in single precision."""
    return times.astype(np.float32)[:, None, None]


def _palette(rng: np.random.Generator) -> Field:
    """A few related colours: brightness varies most, hue least, as in photographs."""
    tone = rng.dirichlet([9.0, 9.0, 8.0]) * 3.0
    spread = rng.dirichlet([10.0, 10.0, 8.0], size=8) * 3.0
    return (0.5 * tone + 0.5 * spread) * rng.lognormal(-1.8, 0.8, (8, 1))
