"""Small pictures with the statistics of photographs, drawn from a seed.

Dead leaves (Lee, Mumford & Huang 2001, "Occlusion models for natural images"): opaque shapes whose
radii follow a power law occlude each other, which gives the edges and the scale invariance of a
photograph; every leaf carries a 1/f texture (Field 1987) and shading, and the scene a soft light.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inrc.files import write_samples
from inrc_modalities.image.pixels import MODES, Pixels, recast
from inrc_modalities.image.writing import save

SIDE = 64
"""Pixels of a side."""
_OVERSAMPLING = 2  # samples per pixel and axis, whose mean gives soft edges
_LEAVES = 110
_RADII = (4.0, 100.0)  # in samples
_VERSION = 1  # raise it when the pictures change, so that old samples are drawn again


def write(folder: Path, seed: int, count: int, layout: str) -> list[Path]:
    """Write `count` PNGs, of which picture i depends on the seed and on i only."""
    paths = [folder / f"image-{layout}-{seed}-{i:04d}.png" for i in range(count)]
    return write_samples(
        folder / f"image-{layout}-{seed}.json",
        paths,
        {"version": _VERSION, "side": SIDE},
        lambda i, path: save(draw(np.random.default_rng((seed, i)), layout), path),
    )


def draw(rng: np.random.Generator, layout: str) -> Pixels:
    """One picture of SIDE by SIDE pixels in 8 bits."""
    size = SIDE * _OVERSAMPLING
    image = _light(rng, size)[..., None] * _leaves(rng, size)
    image = image.reshape(SIDE, _OVERSAMPLING, SIDE, _OVERSAMPLING, 3).mean(axis=(1, 3))
    image += rng.normal(0.0, 0.004, image.shape)  # one grey level of sensor noise
    # light adds up linearly; files hold it by the curve of sRGB, about this power
    rgb = np.clip(image, 0.0, 1.0) ** (1 / 2.2)
    picture = np.concatenate([rgb, _opacity(rng)], axis=-1)
    if not MODES[layout][1]:
        picture = picture[..., :3]
    picture = recast(picture, "RGBA" if MODES[layout][1] else "RGB", layout, 1.0)
    return Pixels(np.floor(picture * 255.0 + 0.5).astype(np.uint8), layout)


def _leaves(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Linear light of occluding leaves, painted from back to front."""
    y, x = np.mgrid[:size, :size].astype(np.float64)
    palette = _palette(rng)
    canvas = np.empty((size, size, 3))
    canvas[:] = palette[0]
    texture = np.stack([_noise(rng, size, 1.0) for _ in range(4)])
    low, high = (1.0 / r for r in _RADII)
    # exponent 2 instead of 3 (scale invariance): photographs of this size are smoother
    for radius in 1.0 / rng.uniform(high, low, _LEAVES):
        cy, cx = rng.uniform(-0.1 * size, 1.1 * size, 2)
        reach = 1.6 * radius + 1
        ys = slice(max(int(cy - reach), 0), max(int(cy + reach) + 1, 0))
        xs = slice(max(int(cx - reach), 0), max(int(cx + reach) + 1, 0))
        angle, stretch, power = rng.uniform(0, np.pi), rng.uniform(0.6, 1.0), rng.choice([2.0, 8.0])
        dy, dx = (y[ys, xs] - cy) / radius, (x[ys, xs] - cx) / radius
        u = dx * np.cos(angle) + dy * np.sin(angle)
        v = (dy * np.cos(angle) - dx * np.sin(angle)) / stretch
        inside = np.abs(u) ** power + np.abs(v) ** power <= 1.0  # an ellipse, or nearly a box
        colour = palette[rng.integers(len(palette))] * rng.uniform(0.7, 1.3)
        shade = (
            1.0 + rng.uniform(0, 0.35) * u + rng.uniform(0, 0.3) * texture[rng.integers(4)][ys, xs]
        )
        canvas[ys, xs][inside] = (np.maximum(shade, 0.05)[..., None] * colour)[inside]
    return canvas


def _palette(rng: np.random.Generator) -> NDArray[np.float64]:
    """A few related colours: brightness varies most, hue least, as in photographs."""
    tone = rng.dirichlet([9.0, 9.0, 8.0]) * 3.0
    spread = rng.dirichlet([10.0, 10.0, 8.0], size=8) * 3.0
    return (0.5 * tone + 0.5 * spread) * rng.lognormal(-1.8, 0.8, (8, 1))


def _light(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Soft light and shadow over the whole scene, around 1."""
    return np.exp(0.35 * _noise(rng, size, 2.5))


def _noise(rng: np.random.Generator, size: int, slope: float) -> NDArray[np.float64]:
    """Noise of amplitude 1/f^slope, mean 0 and variance 1."""
    f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    f[0, 0] = np.inf
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(size, size))) * f**-slope, (size, size))
    return field / field.std()


def _opacity(rng: np.random.Generator) -> NDArray[np.float64]:
    """A soft disc with an opaque centre, H W 1."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - rng.uniform(0.4, 0.6, (2, 1, 1))
    return np.clip(4.0 * (0.55 - np.hypot(y, x)), 0.0, 1.0)[..., None]
