"""The video plugin: pixels as values at the centres of a grid of time, height and width."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from inrc import grid
from inrc.errors import SignalError
from inrc.signal import Baseline, Modality, QueryPlan, Signal, View
from inrc_modalities.video import baselines, losses, pixels, quality, sample, timing
from inrc_modalities.video.clip import check_size, checked, restored
from inrc_modalities.video.reading import READ_ONLY, load
from inrc_modalities.video.writing import FORMATS, save

MAX_DECIMALS = 10**6
"""Regions are decimals of at most six digits: 0.1 s is exactly a tenth of a second."""
MAX_STEP_TERM = 1 << 20
"""Largest numerator and denominator of a step: products of them are exact in float64."""


class Video(Modality):
    """A clip of 8-bit frames; features are Y, Cb and Cr over 255 at every pixel of every frame.

    Chroma is repeated to the resolution of the luma, and its mean is written back, which is
    lossless; RGB is converted to Y, Cb, Cr and back without rounding. Frame rate, time base, aspect
    of the pixels and the tags of colour are kept. `losses` lists what is not.

    Args:
        patch: frames, height and width in pixels of the blocks that are encoded one by one.
        chroma: factor of the difference of Cb and Cr from grey. At 1 the error of features is
            nearly that of R, G and B; at 0.5 it is that of the samples of a 4:2:0 file, where a
            chroma sample stands for four pixels.
    """

    name: ClassVar[str] = "video"
    suffixes: ClassVar[tuple[str, ...]] = tuple(FORMATS)
    read_only: ClassVar[tuple[str, ...]] = READ_ONLY
    unit: ClassVar[str] = "pixel"
    axes: ClassVar[tuple[str, ...]] = ("t", "y", "x")

    def __init__(self, patch: Sequence[int] = (8, 16, 16), chroma: float = 1.0) -> None:
        if len(patch) != 3 or min(patch) < 1:
            raise SignalError(
                f"video: patch {list(patch)}; give frames, height and width, 1 or more each"
            )
        if not (math.isfinite(chroma) and 0 < chroma <= 1):
            raise SignalError(f"video: chroma {chroma}; give a factor above 0, at most 1")
        self.patch = (int(patch[0]), int(patch[1]), int(patch[2]))
        self.chroma = chroma
        self.query_dim = self.point_dim = self.value_dim = self.feature_dim = 3

    def settings(self) -> dict[str, Any]:
        return {"patch": list(self.patch), "chroma": self.chroma}

    def read(self, path: Path) -> Signal:
        """Read a video file, one part a frame; a frame has its own grid, at time 0."""
        clip = load(path)
        return self._whole(pixels.features(clip, self.chroma), clip.meta())

    def lossless_suffix(self, suffix: str) -> str:
        """Matroska, which holds every clip without loss."""
        return ".mkv"

    def losses(self, path: Path) -> list[str]:
        """What is not kept of this file: sound, subtitles, tags and the like."""
        return losses.losses(path)

    def write(self, signal: Signal, path: Path) -> None:
        """Write a joined signal; values are clamped to [0, 1] and rounded to the nearest level."""
        shape = self.shape(signal.meta)
        if signal.features.numel() != math.prod(shape) * 3:
            raise SignalError(
                f"{path}: {tuple(signal.features.shape)} values for a clip of {shape}"
            )
        values = signal.features.reshape(shape[0], -1, 3)
        planes = pixels.planes(values, shape, signal.meta["layout"], self.chroma)
        save(restored(planes, signal.meta), path)

    def split(self, signal: Signal) -> Signal:
        """Cut the clip into patches that share one local grid; padded by reflection."""
        whole = signal.features.reshape(*self.shape(signal.meta), 3)
        return Signal(
            grid.coordinates(self.patch)[None],
            grid.split(whole, self.patch),
            signal.shape,
            signal.meta,
        )

    def shape(self, meta: Mapping[str, Any]) -> tuple[int, int, int]:
        """Frames, height and width, after checking everything that the meta declares."""
        return checked(meta)

    def memory(self, meta: Mapping[str, Any], view: View) -> int:
        """Bytes that decoding takes: patches may reach beyond the clip."""
        padded = grid.padded(self.shape(meta), self.patch)
        return max(super().memory(meta, view), self.query_memory(padded))

    def plan_queries(self, meta: Mapping[str, Any], view: View) -> QueryPlan:
        """Queries of the parts of `split`, or of those that a view needs.

        `View.scale` multiplies width, height and frame rate. `View.at` takes width, height and
        frame rate of another clip, over the time of this one. `View.region` is in seconds (t) and
        pixels (y, x) of the original; only the patches that it touches are decoded.
        """
        shape = self.shape(meta)
        if not view:
            count = math.prod(grid.counts(shape, self.patch))
            return QueryPlan(grid.coordinates(self.patch)[None], tuple(range(count)))
        axes = self._axes(meta, view)
        return QueryPlan(grid.queries(axes), grid.parts(axes))

    def join(self, features: Float[Tensor, "P M C"], meta: Mapping[str, Any], view: View) -> Signal:
        axes = self._axes(meta, view)
        canvas = grid.assemble(features, axes, None if view else self.patch)
        result = {**meta, "shape": list(canvas.shape[:3])}
        if view:
            result |= timing.seen(meta, axes[0])
        return self._whole(canvas.flatten(1, 2), result)

    def measure(self, original: Path, decoded: Path) -> dict[str, float]:
        """PSNR of R, G, B and of the luma (dB), MS-SSIM or SSIM; per frame, then their means."""
        return quality.measure(original, decoded)

    def sample(self, folder: Path, seed: int, count: int) -> list[Path]:
        """Write `count` seeded clips of 16 frames of 64 by 64 pixels in 4:2:0."""
        return sample.write(folder, seed, count)

    def baselines(self, model: Path | None = None) -> list[Baseline]:
        """H.264, H.265 and AV1."""
        return baselines.standard_codecs()

    def picture(self, original: Path, decoded: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """The middle frame of both clips as H W 3 in [0, 1]."""
        clips = [load(path) for path in (original, decoded)]
        first, second = (pixels.rgb(clip, clip.shape[0] // 2) / 255.0 for clip in clips)
        return {"image": first, "unit": ""}, {"image": second, "unit": ""}

    def _whole(self, frames: Float[Tensor, "T M 3"], meta: Mapping[str, Any]) -> Signal:
        shape = self.shape(meta)
        # frames share a grid: one for the whole clip would take as much memory as its features
        return Signal(grid.coordinates((1, *shape[1:]))[None], frames, shape, meta)

    def _axes(self, meta: Mapping[str, Any], view: View) -> list[grid.Axis]:
        shape = self.shape(meta)
        region = {
            name: (
                Fraction(low).limit_denominator(MAX_DECIMALS),
                Fraction(high).limit_denominator(MAX_DECIMALS),
            )
            for name, (low, high) in view.intervals(self.axes).items()
        }
        faster, height, width = self._wanted(meta, view)
        if "t" in region:
            region["t"] = timing.frames(meta, region["t"])
        steps = (1 / faster, Fraction(shape[1], height), Fraction(shape[2], width))
        axes = []
        for name, length, patch, step in zip(self.axes, shape, self.patch, steps, strict=True):
            if max(step.numerator, step.denominator) > MAX_STEP_TERM:
                raise SignalError(
                    f"axis {name}: a step of {step} is too fine; give a smaller scale"
                )
            axes.append(grid.axis(name, length, patch, step, region.get(name), "frame or pixel"))
        t, y, x = (axis.size for axis in axes)
        check_size((t, y, x))
        return axes

    def _wanted(self, meta: Mapping[str, Any], view: View) -> tuple[Fraction, int, int]:
        """Frames per frame of the original, and height and width of the whole picture."""
        shape = self.shape(meta)
        scale = view.factor()
        if view.at is not None:
            other = load(view.at)
            timing.check_even(meta)
            return other.rate / Fraction(*meta["rate"]), *other.shape[1:]
        if view.scale is None:
            return Fraction(1), *shape[1:]
        faster = timing.scaled(meta, scale)
        height, width = (max(1, round(n * faster)) for n in shape[1:])
        return faster, height, width
