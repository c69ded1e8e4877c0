"""The voxel plugin: what is full and what is empty, on a grid."""

import lzma
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from inrc import grid as grids
from inrc import metrics
from inrc.errors import SignalError
from inrc.signal import Baseline, Modality, QueryPlan, Signal, View
from inrc_modalities.sdf import sample
from inrc_modalities.sdf.voxelfiles import MAX_VOXELS, SUFFIXES, Grid, is_kind, load, save

MAX_NAME = 255
"""Characters of the name of an array."""


class Voxels(Modality):
    """A grid of full and empty voxels; features are 1 and 0 at their centres.

    Decoded voxels are full where the field is above one half.
    """

    name: ClassVar[str] = "voxels"
    suffixes: ClassVar[tuple[str, ...]] = SUFFIXES
    unit: ClassVar[str] = "voxel"
    axes: ClassVar[tuple[str, ...]] = ("x", "y", "z")

    def __init__(self) -> None:
        self.query_dim = self.point_dim = 3
        self.value_dim = self.feature_dim = 1

    def read(self, path: Path) -> Signal:
        """Read a grid as one part; raises SignalError for whatever is wrong with it."""
        grid = load(path)
        meta = {
            "shape": list(grid.full.shape),
            "kind": grid.kind,
            "name": grid.name,
            "place": list(grid.place),
        }
        features = torch.from_numpy(grid.full.reshape(1, -1, 1)).float()
        shape = self.shape(meta)
        return Signal(grids.coordinates(shape)[None], features, shape, meta)

    def write(self, signal: Signal, path: Path) -> None:
        """Write a joined signal; raises SignalError for another suffix or a failing disk."""
        shape = self.shape(signal.meta)
        full = (signal.features.detach().cpu().reshape(shape) > 0.5).numpy()
        x, y, z, scale = signal.meta["place"]
        save(Grid(full, signal.meta["kind"], signal.meta["name"], (x, y, z, scale)), path)

    def shape(self, meta: Mapping[str, Any]) -> tuple[int, ...]:
        """Voxels along x, y and z; raises SignalError for a meta that no grid can have."""
        shape, place = meta.get("shape"), meta.get("place")
        if (
            not isinstance(shape, list | tuple)
            or len(shape) != 3
            or not all(type(n) is int and n > 0 for n in shape)
            or math.prod(shape) > MAX_VOXELS
            or not is_kind(meta.get("kind"))
            or not isinstance(meta.get("name"), str)
            or len(meta["name"]) > MAX_NAME
            or not isinstance(place, list | tuple)
            or len(place) != 4
            or not all(type(n) is float and math.isfinite(n) for n in place)
        ):
            raise SignalError(f"voxels: invalid header ({dict(meta)!r:.80}); the file is damaged")
        return tuple(shape)

    def plan_queries(self, meta: Mapping[str, Any], view: View) -> QueryPlan:
        """All centres, or those of a view: `scale`, and `region` in voxels of the original."""
        return QueryPlan(grids.queries(self._axes(meta, view)), (0,))

    def join(self, features: Float[Tensor, "P M C"], meta: Mapping[str, Any], view: View) -> Signal:
        axes = self._axes(meta, view)
        shape = tuple(axis.size for axis in axes)
        return Signal(grids.queries(axes), features, shape, {**meta, "shape": list(shape)})

    def measure(self, original: Path, decoded: Path) -> dict[str, float]:
        """Share of voxels that agree, in %, `iou` of the full ones, `psnr` (peak 1) in dB.

        Accuracy is what VC-INR and Functa report for ShapeNet.
        """
        a, b = load(original).full, load(decoded).full
        if a.shape != b.shape:
            raise SignalError(
                f"{decoded}: {b.shape} voxels, but {original} has {a.shape}; use one shape"
            )
        return {
            "psnr": metrics.psnr(a, b, 1.0),
            "accuracy": 100.0 * float((a == b).mean()),
            "iou": float((a & b).sum() / max(int((a | b).sum()), 1)),
        }

    def losses(self, path: Path) -> list[str]:
        """Nothing: type, byte order, name and place come back, and the file holds no more."""
        load(path)
        return []

    def sample(self, folder: Path, seed: int, count: int) -> list[Path]:
        """Write `count` seeded grids of 32^3 voxels: smooth blends of simple bodies."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"voxels-{seed}-{i:04d}.npy" for i in range(count)]
        for i, path in enumerate(paths):
            if not path.is_file():
                save(Grid(sample.filled(np.random.default_rng((seed, i))), "|u1"), path)
        return paths

    def baselines(self, model: Path | None = None) -> list[Baseline]:
        """Bits, eight a byte, and LZMA: lossless."""
        return [_LZMA]

    def picture(self, original: Path, decoded: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        """Share of full voxels along each axis, three views beside each other, H W."""
        first, second = (_shadows(load(path)) for path in (original, decoded))
        return {"image": first, "unit": "full"}, {"image": second, "unit": "full"}

    def _axes(self, meta: Mapping[str, Any], view: View) -> list[grids.Axis]:
        if view.at is not None:
            raise SignalError("at: voxels have no grid of another file; use scale or region")
        factor, region = min(view.factor(), float(MAX_VOXELS)), view.intervals(self.axes)
        axes = [
            grids.axis(
                name, n, n, Fraction(n, max(1, round(n * factor))), region.get(name), "voxel"
            )
            for name, n in zip(self.axes, self.shape(meta), strict=True)
        ]
        if math.prod(axis.size for axis in axes) > MAX_VOXELS:
            raise SignalError(f"scale {factor:g}: more than {MAX_VOXELS} voxels; ask for a region")
        return axes


def _shadows(grid: Grid) -> Any:
    side = max(grid.full.shape)
    views = []
    for axis in range(3):
        shadow = grid.full.mean(axis)
        room = [(0, side - n) for n in shadow.shape]
        views.append(np.pad(shadow, room))
    return np.concatenate(views, axis=1)


def _encode(original: Path, preset: float) -> bytes:
    grid = load(original)
    head = np.array(grid.full.shape, "<u2").tobytes()
    bits = np.packbits(grid.full).tobytes()
    return head + lzma.compress(bits, lzma.FORMAT_RAW, filters=_FILTERS)


def _decode(data: bytes, original: Path, decoded: Path) -> None:
    shape = tuple(int(n) for n in np.frombuffer(data[:6], "<u2"))
    bits = lzma.decompress(data[6:], lzma.FORMAT_RAW, filters=_FILTERS)
    full = np.unpackbits(np.frombuffer(bits, np.uint8), count=math.prod(shape)).reshape(shape)
    about = load(original)
    save(Grid(full == 1, about.kind, about.name, about.place), decoded)


_PRESET = 9
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": _PRESET}]
_LZMA = Baseline("LZMA", "preset", (float(_PRESET),), _encode, _decode)
