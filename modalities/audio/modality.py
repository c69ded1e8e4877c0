"""The audio plugin: samples as a function of time, patch by patch."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from inrc import grid
from inrc.errors import SignalError
from inrc.signal import Baseline, Modality, QueryPlan, Signal, View
from inrc_modalities.audio import baselines, quality, sample, stereo, views
from inrc_modalities.audio.formats import BITS, READ_ONLY, SUFFIXES, Header
from inrc_modalities.audio.reading import BLOCK, load, losses
from inrc_modalities.audio.writing import save

MAX_PEAK = 2.0
"""Files with samples beyond this are scaled by a power of two; features stay near [0, 1]."""
_GAINS = (-32, 128)  # exponents of two of float32 samples
_MAX_OVERSHOOT = 10.0 ** (1 / 20)
"""Peak of a decoded sound that is still written as integers, clipped: 1 dB over full scale."""


class Audio(Modality):
    """A sound; features are samples mapped from [-1, 1] to [0, 1].

    Every channel is cut into patches of its own, so that one model codes files of one to eight
    channels. Two channels are coded as middle and side where that is cheaper. A sample is one value
    of one channel.

    Args:
        patch: samples that are encoded as one part, at local coordinates in [-5, 5].
        normalise: scale every file by a power of two so that its peak is in (1/2, 1]. All files
            then have a similar signal-to-noise ratio; without, a similar error, and quiet files
            cost less. Files beyond twice full scale are always scaled.
    """

    name: ClassVar[str] = "audio"
    suffixes: ClassVar[tuple[str, ...]] = tuple(SUFFIXES)
    read_only: ClassVar[tuple[str, ...]] = READ_ONLY
    unit: ClassVar[str] = "sample"
    axes: ClassVar[tuple[str, ...]] = ("t",)

    def __init__(self, patch: int = 128, normalise: bool = False) -> None:
        if patch < 1:
            raise SignalError(f"audio: patch {patch}; give 1 sample or more")
        self.patch = patch
        self.normalise = normalise
        self.query_dim = self.point_dim = self.value_dim = self.feature_dim = 1

    def read(self, path: Path) -> Signal:
        """Read a sound file: every channel is one part."""
        header, samples = load(path)
        gain = self._gain(max(float(samples.max()), -float(samples.min())))
        if gain:
            np.ldexp(samples, -gain, out=samples)
        sides = header.channels == 2 and stereo.is_cheaper(samples)
        if sides:
            stereo.rotate(samples)
        samples *= 0.5
        samples += 0.5
        meta = {
            "frames": header.frames,
            "channels": header.channels,
            "rate": header.rate,
            "format": header.format,
            "subtype": header.subtype,
            "gain": gain,
            "sides": sides,
        }
        return self._whole(torch.from_numpy(samples), meta)

    def suffix(self, meta: Mapping[str, Any]) -> str:
        """The suffix of the format of the original."""
        kind = meta.get("format")
        return next((suffix for suffix, kinds in SUFFIXES.items() if kind in kinds), ".wav")

    def lossless_suffix(self, suffix: str) -> str:
        """WAV, which holds every kind of samples without loss."""
        return ".wav"

    def losses(self, path: Path) -> list[str]:
        """What is not kept of this file: tags, cue points, speaker positions and the like."""
        return losses(path)

    def write(self, signal: Signal, path: Path) -> None:
        """Write a joined signal, in the format of the original if the suffix allows it."""
        frames = self.shape(signal.meta)[1]
        header = Header.of(signal.meta)
        if signal.features.shape != (header.channels, frames, 1):
            raise SignalError(
                f"{path}: {tuple(signal.features.shape)} values for {header.channels} channels "
                f"of {frames} samples"
            )
        try:
            target = header.stored_as(path.suffix)
        except SignalError as error:
            raise SignalError(f"{path}: {error}") from None
        if header.subtype not in BITS and target.subtype in BITS:
            loudest = max(float(np.abs(block).max()) for block in self._samples(signal))
            if loudest > _MAX_OVERSHOOT:
                raise SignalError(
                    f"{path}: {target.subtype} would clip samples of {loudest:.3g} times full "
                    "scale; write .wav"
                )
        save(target, self._samples(signal), path)

    def split(self, signal: Signal) -> Signal:
        """Cut every channel into patches; the last one is completed by reflection."""
        channels, frames = self.shape(signal.meta)
        features = signal.features
        full = frames - frames % self.patch
        if full != frames:
            # only the end is reflected, so that nothing long is copied twice
            end = features[:, max(0, full - self.patch) :]
            last = grid.split(end, (channels, self.patch)).unflatten(1, (channels, self.patch))
            features = torch.cat([features[:, :full], last[-1]], 1)
        parts = features.reshape(-1, self.patch, 1)
        return Signal(views.local(self.patch), parts, signal.shape, signal.meta)

    def shape(self, meta: Mapping[str, Any]) -> tuple[int, ...]:
        """Channels and samples of each, after checking everything that the meta declares."""
        header = Header.of(meta)
        gain, sides = meta.get("gain"), meta.get("sides")
        if (
            type(gain) is not int
            or not _GAINS[0] <= gain <= _GAINS[1]
            or type(sides) is not bool
            or (sides and header.channels != 2)
        ):
            raise SignalError(f"audio: invalid header ({dict(meta)!r:.120})")
        return header.channels, header.frames

    def memory(self, meta: Mapping[str, Any], view: View) -> int:
        """Bytes that decoding takes: the last patch may reach beyond the sound."""
        channels, frames = self.shape(meta)
        padded = channels * -(-frames // self.patch) * self.patch
        return max(super().memory(meta, view), self.query_memory(padded))

    def plan_queries(self, meta: Mapping[str, Any], view: View) -> QueryPlan:
        """Queries of the parts of `split`, or of those that a view needs.

        `View.scale` multiplies the sampling rate, `View.at` takes the rate of another file, and
        `View.region` cuts `t` in seconds; only the patches that it touches are decoded.
        """
        channels, frames = self.shape(meta)
        many = -(-frames // self.patch)
        if not view:
            return QueryPlan(views.local(self.patch), tuple(range(channels * many)))
        part = self._excerpt(meta, view)
        numbers = [c * many + p for c in range(channels) for p in part.patches]
        return QueryPlan(views.local(self.patch), tuple(numbers))

    def join(self, features: Float[Tensor, "P M C"], meta: Mapping[str, Any], view: View) -> Signal:
        channels, frames = self.shape(meta)
        if not view:
            return self._whole(features.reshape(channels, -1)[:, :frames], meta)
        part = self._excerpt(meta, view)
        sound = part.join(features, channels)
        result = {**meta, "frames": part.last - part.first, "rate": part.target}
        return self._whole(sound, result)

    def measure(self, original: Path, decoded: Path) -> dict[str, float]:
        """PSNR of samples in [0, 1], SNR and SI-SDR of the files as written, in dB."""
        return quality.measure(original, decoded)

    def sample(self, folder: Path, seed: int, count: int) -> list[Path]:
        """Write `count` seeded sounds of 16 kHz, alternately like speech and like music."""
        return sample.write(folder, seed, count)

    def picture(self, original: Path, decoded: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """Spectrograms in dB, low frequencies at the bottom."""
        first, second = (quality.spectrogram(path) for path in (original, decoded))
        return {"image": first, "unit": "dB"}, {"image": second, "unit": "dB"}

    def baselines(self, model: Path | None = None) -> list[Baseline]:
        """MP3 and Opus."""
        return baselines.codecs()

    def _gain(self, peak: float) -> int:
        """Exponent of the power of two by which a file is divided."""
        if not self.normalise and peak <= MAX_PEAK:
            return 0
        return max(math.frexp(peak)[1], _GAINS[0]) if peak > 0 else 0

    def _whole(self, features: Float[Tensor, "channels frames"], meta: Mapping[str, Any]) -> Signal:
        channels, frames = features.shape
        # float64 would be exact to the last sample, at three times the memory of a long file
        edge = views.REACH * (1.0 - 1.0 / frames)
        times = torch.linspace(-edge, edge, frames)[None, :, None]
        return Signal(times, features[..., None], (channels, frames), meta)

    def _samples(self, signal: Signal) -> Iterator[NDArray[np.float64]]:
        """Samples of a file of this signal, block by block: frames by channels."""
        features, meta = signal.features[..., 0], signal.meta
        for at in range(0, features.shape[1], BLOCK):
            block = features[:, at : at + BLOCK].detach().cpu().double().nan_to_num(0.5).numpy()
            block = block * 2.0 - 1.0
            if meta["sides"]:
                stereo.rotate(block)
            yield np.ldexp(block, meta["gain"]).T

    def _excerpt(self, meta: Mapping[str, Any], view: View) -> views.Excerpt:
        region = view.intervals(self.axes).get("t")
        rate = views.target_rate(meta["rate"], view)
        frames = self.shape(meta)[1]
        excerpt = views.excerpt(frames, meta["rate"], self.patch, rate, region)
        Header.of({**meta, "frames": excerpt.last - excerpt.first, "rate": rate})  # checks its size
        return excerpt
