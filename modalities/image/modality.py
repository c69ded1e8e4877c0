"""The image plugin: pixels as features at the centres of a grid."""

import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from inrc import grid
from inrc.errors import SignalError
from inrc.signal import Baseline, Modality, QueryPlan, Signal, View
from inrc_modalities.image import autoencoders, baselines, header, losses, quality, sample
from inrc_modalities.image.pixels import LAYOUTS, Pixels, missing_in, peak, recast
from inrc_modalities.image.reading import load
from inrc_modalities.image.writing import FORMATS, format_for, save

MAX_PATCH = 8192
"""Side of the largest patch in pixels: of 2^26 pixels, three quarters of Pillow's limit."""


class Image(Modality):
    """A still image; features are pixel values over 255 or 65535, row by row.

    A file with other channels than the model is converted where that loses nothing (grey to RGB,
    opaque RGBA to RGB, colourless RGB to grey) and written back as it was. The picture is turned
    as its EXIF orientation says. How its colours look (profile, gamma, primaries) is kept; `losses`
    lists what is not.

    Args:
        patch: side in pixels of the squares that are encoded one by one; None encodes the whole
            image as one part.
        channels: of the model: 1 grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity.

    Raises:
        SignalError: settings of another type, or a patch larger than the largest image.
    """

    name: ClassVar[str] = "image"
    suffixes: ClassVar[tuple[str, ...]] = tuple(FORMATS)
    unit: ClassVar[str] = "pixel"
    axes: ClassVar[tuple[str, ...]] = ("y", "x")

    def __init__(self, patch: int | None = None, channels: int = 3) -> None:
        if patch is not None and (type(patch) is not int or not 1 <= patch <= MAX_PATCH):
            raise SignalError(f"image: patch {patch!r:.40}; give 1 to {MAX_PATCH} pixels, or null")
        if type(channels) is not int or channels not in LAYOUTS:
            raise SignalError(f"image: channels {channels!r:.40}; give 1, 2, 3 or 4")
        self.patch = patch
        self.channels = channels
        self.query_dim = self.point_dim = 2
        self.value_dim = self.feature_dim = channels

    def read(self, path: Path) -> Signal:
        """Read an image file as one part of H*W observations."""
        pixels = load(path)
        layout = LAYOUTS[self.channels]
        missing = missing_in(pixels, layout)
        if missing is not None:
            raise SignalError(
                f"{path}: {pixels.mode} pixels would lose their {missing} in a model of "
                f"{self.channels} channel(s); use a model of more channels, or convert the file"
            )
        if path.suffix.lower() in FORMATS:
            format_for(pixels, path)
        array = recast(pixels.array, pixels.mode, layout, pixels.peak)
        height, width = array.shape[:2]
        meta: dict[str, Any] = {
            "shape": [height, width],
            "mode": pixels.mode,
            "depth": pixels.depth,
            "suffix": path.suffix.lower(),
            "icc": pixels.icc,
        }
        if pixels.colour:
            meta["colour"] = dict(pixels.colour)
        features = torch.from_numpy(array.astype(np.float32) / np.float32(pixels.peak))
        return self._whole(features, meta)

    def write(self, signal: Signal, path: Path) -> None:
        """Write a joined signal; values are clamped to [0, 1] and rounded to the nearest level."""
        shape, mode, depth = self.shape(signal.meta), signal.meta["mode"], signal.meta["depth"]
        values = signal.features.detach().cpu().to(torch.float64).nan_to_num(0.0).clamp(0.0, 1.0)
        if values.numel() != math.prod(shape) * self.channels:
            raise SignalError(
                f"{path}: {tuple(values.shape)} values for an image of {shape}; decode it again"
            )
        array = values.reshape(*shape, self.channels).numpy()
        array = recast(array, LAYOUTS[self.channels], mode, 1.0)
        if mode == "1":
            array = np.floor(array + 0.5)
        levels = np.floor(array * peak(depth) + 0.5).astype(np.uint16 if depth == 16 else np.uint8)
        icc, colour = signal.meta.get("icc"), signal.meta.get("colour", {})
        save(Pixels(levels, mode, icc, colour), path)

    def split(self, signal: Signal) -> Signal:
        """Cut the image into patches that share one local grid; padded by reflection."""
        if self.patch is None:
            return signal
        side = (self.patch, self.patch)
        whole = signal.features.reshape(*self.shape(signal.meta), self.channels)
        return Signal(
            grid.coordinates(side)[None], grid.split(whole, side), signal.shape, signal.meta
        )

    def shape(self, meta: Mapping[str, Any]) -> tuple[int, ...]:
        """Height and width, after checking all entries of the meta."""
        return header.shape(meta)

    def memory(self, meta: Mapping[str, Any], view: View) -> int:
        """Bytes that decoding takes: patches may reach beyond the image."""
        shape = self.shape(meta)
        padded = grid.padded(shape, self._side(shape))
        return max(super().memory(meta, view), self.query_memory(padded))

    def plan_queries(self, meta: Mapping[str, Any], view: View) -> QueryPlan:
        """The queries and parts of `split`, or those that a view needs.

        `View.scale` and `View.at` sample the field at the centres of the new pixels; `View.region`
        is in pixels of the original; only the patches that it touches are decoded.
        """
        shape = self.shape(meta)
        if not view:
            side = self._side(shape)
            return QueryPlan(
                grid.coordinates(side)[None], tuple(range(math.prod(grid.counts(shape, side))))
            )
        axes = self._axes(shape, view)
        return QueryPlan(grid.queries(axes), grid.parts(axes))

    def join(self, features: Float[Tensor, "P M C"], meta: Mapping[str, Any], view: View) -> Signal:
        shape = self.shape(meta)
        if not view:
            return self._whole(grid.join(features, shape, self._side(shape)), meta)
        canvas = grid.assemble(features, self._axes(shape, view))
        return self._whole(canvas, {**meta, "shape": list(canvas.shape[:2])})

    def measure(self, original: Path, decoded: Path) -> dict[str, float]:
        """PSNR (dB), MS-SSIM or SSIM, and the largest error in levels, of two files."""
        return quality.measure(original, decoded)

    def lossless_suffix(self, suffix: str) -> str:
        """PNG for all files, because it can hold all pixels."""
        return ".png"

    def losses(self, path: Path) -> list[str]:
        """What a file holds that its decoded file will lack, in short phrases such as "EXIF"."""
        return losses.losses(path)

    def sample(self, folder: Path, seed: int, count: int) -> list[Path]:
        """Write `count` seeded PNGs of 64 by 64 pixels in the layout of the model."""
        return sample.write(folder, seed, count, LAYOUTS[self.channels])

    def baselines(self, model: Path | None = None) -> list[Baseline]:
        """JPEG, JPEG 2000, WebP, AVIF, JPEG XL, HEVC intra, VVC intra.

        With a model, also CompressAI's bmshj2018-factorized and bmshj2018-hyperprior, trained
        beside it.
        """
        trained = [] if model is None else autoencoders.baselines(model)
        return [*baselines.baselines(), *trained]

    def picture(self, original: Path, decoded: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """Both images as H W (grey) or H W 3 in [0, 1], transparent pixels on white."""
        first, second = (quality.shown(load(path)) / 255.0 for path in (original, decoded))
        return {"image": first, "unit": ""}, {"image": second, "unit": ""}

    def _side(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape if self.patch is None else (self.patch, self.patch)

    def _whole(self, image: Float[Tensor, "H W C"], meta: Mapping[str, Any]) -> Signal:
        shape = tuple(image.shape[:2])
        features = image.reshape(1, -1, self.channels)
        return Signal(grid.coordinates(shape)[None], features, shape, meta)

    def _axes(self, shape: tuple[int, ...], view: View) -> list[grid.Axis]:
        region = view.intervals(self.axes)
        each = zip(self.axes, shape, self._side(shape), self._size(shape, view), strict=True)
        return [
            grid.axis(name, n, side, Fraction(n, size), region.get(name), "pixel")
            for name, n, side, size in each
        ]

    @staticmethod
    def _size(shape: tuple[int, ...], view: View) -> tuple[int, int]:
        """Height and width that the whole image would have in this view."""
        scale = view.factor()
        if view.at is not None:
            height, width = load(view.at).array.shape[:2]
            return height, width
        # up to this size, products of sizes are exact
        height, width = (max(1, round(min(n * scale, 2.0**31))) for n in shape)
        header.check_size(height, width)
        return height, width
