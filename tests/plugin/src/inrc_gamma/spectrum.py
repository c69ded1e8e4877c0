"""The modality gamma: a count is the integral of the field over a channel."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from inrc import metrics
from inrc.errors import SignalError
from inrc.signal import Modality, QueryPlan, Signal, View, flat
from inrc_gamma import made, spe

MAX_SCALE = 64.0
"""Largest scale of a view."""


class Gamma(Modality):
    """A spectrum: counts in adjacent channels.

    A query is a channel, as its centre and its width on an axis from -1 to 1. It looks at the
    field at the nodes of a Gauss-Legendre rule in the channel. The field is the root of a density
    (so that counting noise is as large everywhere); a feature is the root of the density's mean
    over the channel, relative to the spectrum's largest.

    Args:
        nodes: points in a channel.
    """

    name: ClassVar[str] = "gamma"
    suffixes: ClassVar[tuple[str, ...]] = spe.SUFFIXES
    unit: ClassVar[str] = "channel"

    def __init__(self, nodes: int = 3) -> None:
        if not 1 <= nodes <= 64:
            raise SignalError(f"gamma: {nodes} nodes; give 1 to 64")
        self.nodes = nodes
        self.query_dim, self.point_dim = 2, 1
        self.value_dim = self.feature_dim = 1
        places, weights = np.polynomial.legendre.leggauss(nodes)
        self._places = torch.tensor(places / 2, dtype=torch.float32)  # in channels
        self._weights = torch.tensor(weights / 2, dtype=torch.float32)

    def settings(self) -> dict[str, Any]:
        return {"nodes": self.nodes}

    def read(self, path: Path) -> Signal:
        spectrum = spe.load(path)
        peak = int(spectrum.counts.max())
        meta = {
            "channels": len(spectrum.counts),
            "first": spectrum.first,
            "peak": float(peak),
            "head": spectrum.head,
            "tail": spectrum.tail,
            "crlf": spectrum.newline == "\r\n",
        }
        roots = np.sqrt(spectrum.counts / peak)
        return self._signal(torch.from_numpy(roots)[None, :, None], meta)

    def write(self, signal: Signal, path: Path) -> None:
        self.shape(signal.meta)
        meta = signal.meta
        head, tail = spe.texts(meta)
        counts = (signal.features.double().flatten() ** 2 * meta["peak"]).round()
        newline = "\r\n" if meta["crlf"] else "\n"
        spe.save(spe.Spectrum(counts.long().numpy(), meta["first"], head, tail, newline), path)

    def shape(self, meta: Mapping[str, Any]) -> tuple[int, ...]:
        channels, first, peak = (meta.get(key) for key in ("channels", "first", "peak"))
        if (
            type(channels) is not int
            or not 0 < channels <= spe.MAX_CHANNELS * MAX_SCALE
            or type(first) is not int
            or not 0 <= first < 1_000_000_000
            or type(peak) is not float
            or not 0 < peak < 1e15
            or type(meta.get("crlf")) is not bool
        ):
            raise SignalError(f"gamma: invalid header ({dict(meta)!r:.80})")
        spe.texts(meta)
        return (channels,)

    def plan_queries(self, meta: Mapping[str, Any], view: View) -> QueryPlan:
        return QueryPlan(_channels(self._sizes(meta, view)[0]), (0,))

    def join(self, features: Float[Tensor, "P M C"], meta: Mapping[str, Any], view: View) -> Signal:
        channels, width = self._sizes(meta, view)
        # a channel twice as wide counts twice as much
        seen = {**meta, "channels": channels, "peak": meta["peak"] * width}
        return self._signal(features, seen)

    def points(self, queries: Float[Tensor, "B M 2"]) -> Float[Tensor, "B M S 1"]:
        centre, width = queries[..., :1], queries[..., 1:]
        return (centre + width * self._places.to(queries)).unsqueeze(-1)

    def observe(
        self, values: Float[Tensor, "B M S 1"], queries: Float[Tensor, "B M 2"]
    ) -> Float[Tensor, "B M 1"]:
        density = (values**2 * self._weights.to(values)[:, None]).sum(-2)
        return (density + 1e-8).sqrt()  # the root has no slope at 0

    def measure(self, original: Path, decoded: Path) -> dict[str, float]:
        """`psnr` in dB of roots of counts, 1 at the largest; `total`, relative error of the sum."""
        a, b = spe.load(original).counts, spe.load(decoded).counts
        return {
            "psnr": metrics.psnr(np.sqrt(a), np.sqrt(b), math.sqrt(a.max())),
            "rmse": metrics.rmse(a, b),
            "total": abs(float(b.sum() - a.sum())) / float(a.sum()),
        }

    def sample(self, folder: Path, seed: int, count: int) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"spectrum{number:03d}.spe" for number in range(count)]
        for number, path in enumerate(paths):
            spe.save(made.spectrum(np.random.default_rng([seed, number])), path)
        return paths

    def _signal(self, features: Tensor, meta: Mapping[str, Any]) -> Signal:
        (channels,) = self.shape(meta)
        return Signal(_channels(channels), flat(features), (channels,), meta)

    def _sizes(self, meta: Mapping[str, Any], view: View) -> tuple[int, float]:
        """Channels that are asked, and how wide they are, in channels of the file."""
        if view.region or view.at is not None:
            raise SignalError("gamma: cannot decode a region or given points; use --scale")
        scale = 1.0 if view.scale is None else view.scale
        if not 0 < scale <= MAX_SCALE:
            raise SignalError(f"gamma: scale {scale}: give a number above 0, at most {MAX_SCALE:g}")
        (channels,) = self.shape(meta)
        asked = max(1, round(channels * scale))
        return asked, channels / asked


def _channels(count: int) -> Float[Tensor, "1 M 2"]:
    """Centres and widths of channels that fill -1 to 1."""
    centres = -1 + 2 * (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return torch.stack([centres, torch.full_like(centres, 2 / count)], -1).float()[None]
