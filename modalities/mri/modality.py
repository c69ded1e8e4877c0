"""The mri plugin: voxels as answers at their places in cubes of a few millimetres."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from inrc import grid
from inrc.errors import SignalError
from inrc.signal import Baseline, Modality, QueryPlan, Signal, View
from inrc_modalities.mri import (
    baselines,
    blocks,
    declared,
    labels,
    masks,
    quality,
    sample,
    scaling,
    views,
)
from inrc_modalities.mri.header import Header
from inrc_modalities.mri.reading import Volume, load
from inrc_modalities.mri.writing import save


class MRI(Modality):
    """A volume, or a series of them, in a NIfTI file; features are stored values in [0, 1].

    The header comes back as it was, to the last bit: affines and their codes, voxel sizes, units,
    data type, byte order, slope and intercept, text, extensions up to 64 KiB. So do NaN and
    infinite voxels, and all voxels of label volumes (`labels.are_labels`). The other voxels are
    compressed; those beyond a percentile of the file are clipped to it, and `measure` counts them.

    A part is a block of `patch` x `spacing` millimetres, with as many voxels as the file has
    there, but at least `patch` along every axis. Each volume of a series has its own parts.

    Args:
        patch: edge of a block, in voxels of the edge `spacing`.
        spacing: millimetres; None gives `patch` voxels along every axis, as COIN++ does.
        percentile: above 50, at most 100; values beyond it, and as many low ones, are clipped.

    Raises:
        SignalError: settings out of range.
    """

    name: ClassVar[str] = "mri"
    suffixes: ClassVar[tuple[str, ...]] = (".nii.gz", ".nii")
    unit: ClassVar[str] = "voxel"
    axes: ClassVar[tuple[str, ...]] = views.NAMES

    def __init__(
        self, patch: int = 8, spacing: float | None = 1.0, percentile: float = 99.99
    ) -> None:
        if patch < 1:
            raise SignalError(f"mri: patch {patch}; give 1 voxel or more")
        if spacing is not None and not 0 < spacing < math.inf:
            raise SignalError(f"mri: spacing {spacing}; give more than 0 mm, or null")
        if not 50 < percentile <= 100:
            raise SignalError(f"mri: percentile {percentile}; give more than 50 and at most 100")
        self.patch = patch
        self.spacing = spacing
        self.percentile = percentile
        self.query_dim = self.point_dim = 3
        self.value_dim = self.feature_dim = 1

    def read(self, path: Path) -> Signal:
        """Read a file as one part per volume; unknown voxels have a weight of 0."""
        file = load(path)
        header = file.header
        stored = file.series()
        exact = labels.are_labels(header, stored)
        low, high = (0, 0) if exact else scaling.ends(file.stored, self.percentile, path)
        features = np.zeros(stored.shape, np.float32)
        if not exact:
            for volume, out in zip(stored, features, strict=True):
                scaling.scale(volume, low, high, out)
        unknown = masks.unknown(stored)
        meta = {
            **header.meta,
            "suffix": ".nii" if path.name.lower().endswith(".nii") else ".nii.gz",
            "range": [low, high],
            "unknown": None if unknown is None else masks.pack(unknown),
            "labels": labels.pack(stored) if exact else None,
        }
        weights = None
        if unknown is not None:
            features[unknown > 0] = 0.0
            weights = torch.from_numpy((unknown == 0).astype(np.float32)).flatten(1)
        return self._whole(torch.from_numpy(features), header, meta, weights)

    def write(self, signal: Signal, path: Path) -> None:
        """Write a joined signal; whole numbers are rounded to the nearest."""
        header, (low, high) = declared.check(signal.meta)
        lattice = (header.volumes, *header.space)
        if signal.features.numel() != math.prod(lattice):
            raise SignalError(
                f"{path}: {tuple(signal.features.shape)} values do not fit {header.shape} voxels"
            )
        if signal.meta["labels"] is not None:
            series = labels.unpack(signal.meta["labels"], lattice, header.dtype)
        else:
            series = np.empty(lattice, header.dtype)
            values = signal.features.detach().cpu().reshape(lattice).numpy()
            for volume, out in zip(values, series, strict=True):
                scaling.restore(np.nan_to_num(volume), low, high, out)
        if signal.meta["unknown"] is not None:
            kinds = masks.unpack(signal.meta["unknown"], lattice)
            series[kinds > 0] = masks.values(kinds[kinds > 0])
        stored = np.asfortranarray(np.moveaxis(series, 0, -1), header.dtype)
        save(Volume(header, stored.reshape(header.shape, order="F")), path)

    def split(self, signal: Signal) -> Signal:
        """Cut every volume into blocks that share one local grid; padded by reflection.

        A block without a known voxel is 0 throughout, so that it has an answer. A label volume is
        one block of zeros: its voxels are in the meta.
        """
        header, _ = declared.check(signal.meta)
        if signal.meta["labels"] is not None:
            one = blocks.block((1.0, 1.0, 1.0), self.patch, None).coordinates()[None]
            return Signal(one, torch.zeros(1, one.shape[1], 1), signal.shape, signal.meta)
        block = self._block(header)
        pieces = block.cut(signal.features.reshape(header.volumes, *header.space))
        weights = None
        if signal.weights is not None:
            weights = block.cut(signal.weights.reshape(header.volumes, *header.space))
            weights = weights.squeeze(-1)
            weights[weights.sum(1) == 0] = 1.0
        return Signal(block.coordinates()[None], pieces, signal.shape, signal.meta, weights)

    def shape(self, meta: Mapping[str, Any]) -> tuple[int, ...]:
        """Voxels along every axis, after checking everything that the meta declares."""
        return declared.check(meta)[0].shape

    def memory(self, meta: Mapping[str, Any], view: View) -> int:
        """Bytes that decoding takes: blocks may reach beyond the volume."""
        header = declared.check(meta)[0]
        padded = header.volumes * grid.padded(header.space, self._block(header).size)
        return max(super().memory(meta, view), self.query_memory(padded))

    def lossless_size(self, path: Path, signal: Signal) -> int:
        """Bytes of the packed labels, or else as by default; and those of the header."""
        kept = signal.meta["labels"]
        size = super().lossless_size(path, signal) if kept is None else sum(map(len, kept))
        return size + len(signal.meta["extra"]) + declared.MAX_HEADER

    def plan_queries(self, meta: Mapping[str, Any], view: View) -> QueryPlan:
        """Where to ask: the parts of `split`, or what a view needs of them.

        `View.scale` and `View.at` (a file with the numbers of voxels) keep the field of view;
        `View.region` is in voxels of the original, and asks only the blocks that it touches.
        """
        header, _ = declared.check(meta)
        block = self._block(header)
        if meta["labels"] is not None:
            if view:
                views.axes(header.space, header.version, block, view)
            return QueryPlan(
                blocks.block((1.0, 1.0, 1.0), self.patch, None).coordinates()[None], (0,)
            )
        if not view:
            many = header.volumes * math.prod(block.counts(header.space))
            return QueryPlan(block.coordinates()[None], tuple(range(many)))
        asked = views.axes(header.space, header.version, block, view)
        return QueryPlan(views.queries(asked, header.volumes), views.parts(asked, header.volumes))

    def join(self, features: Float[Tensor, "P M C"], meta: Mapping[str, Any], view: View) -> Signal:
        """The volumes made of the blocks decoded at `plan_queries(meta, view)`.

        Unknown voxels and labels of a view are those of the nearest voxel of the original.
        """
        header, _ = declared.check(meta)
        block = self._block(header)
        if not view:
            if meta["labels"] is not None:
                return self._whole(torch.zeros(header.volumes, *header.space), header, meta)
            each = math.prod(block.counts(header.space))
            out = torch.empty(header.volumes, *header.space)
            for number, parts in enumerate(features.split(each)):
                out[number] = grid.join(parts, header.space, block.size)[..., 0]
            return self._whole(out, header, meta)
        asked = views.axes(header.space, header.version, block, view)
        result = views.shown(header, asked)
        new = {**meta, **result.meta, **views.nearest(meta, header, asked)}
        if meta["labels"] is not None:
            return self._whole(torch.zeros(result.volumes, *result.space), result, new)
        return self._whole(views.join(features, asked, header.volumes), result, new)

    def measure(self, original: Path, decoded: Path) -> dict[str, float]:
        """PSNR (dB) and SSIM, whole and in the head, largest error, share of clipped voxels."""
        return quality.measure(original, decoded, self.percentile)

    def losses(self, path: Path) -> list[str]:
        """What a file loses beside precision: clipped voxels, bytes after the last voxel."""
        file = load(path)
        phrases = []
        if not labels.are_labels(file.header, file.series()):
            low, high = scaling.ends(file.stored, self.percentile, path)
            finite = file.stored[np.isfinite(file.stored)]
            if clipped := int(((finite < low) | (finite > high)).sum()):
                phrases.append(
                    f"{clipped} voxels beyond the {self.percentile:g}th percentile (clipped)"
                )
        if file.tail:
            phrases.append(f"{file.tail} bytes after the last voxel")
        return phrases

    def sample(self, folder: Path, seed: int, count: int) -> list[Path]:
        """Write `count` small synthetic heads as .nii.gz."""
        return sample.write(folder, seed, count)

    def baselines(self, model: Path | None = None) -> list[Baseline]:
        """JPEG 2000, JPEG XL, HEVC of the slices; zfp, SZ3 and SPERR of the volume."""
        return baselines.all_of_them()

    def picture(self, original: Path, decoded: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """The middle axial slice of both files, with the grey levels of the original."""
        first, second = (
            quality.picture(path, original, self.percentile) for path in (original, decoded)
        )
        return {"image": first, "unit": ""}, {"image": second, "unit": ""}

    def _block(self, header: Header) -> blocks.Block:
        return blocks.block(header.sizes(), self.patch, self.spacing)

    @staticmethod
    def _whole(
        volumes: Float[Tensor, "T X Y Z"],
        header: Header,
        meta: Mapping[str, Any],
        weights: Tensor | None = None,
    ) -> Signal:
        features = volumes.reshape(header.volumes, -1, 1)
        return Signal(blocks.whole(header.space)[None], features, header.shape, meta, weights)
