"""Folders of volumes as training data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.ndimage import zoom
from torch import Tensor

from inrc import grid
from inrc.data import Batch, PatchDataset, SignalDataModule, option
from inrc.errors import SignalError
from inrc.signal import Signal
from inrc_modalities.mri.modality import MRI
from inrc_modalities.mri.reading import load_header

_LEVELS = 65535  # volumes are kept in 16 bits: half of the memory, at a negligible error
_SAME_SIZE = 0.02  # relative difference from the model's voxels below which none are interpolated


@dataclass(frozen=True, kw_only=True)
class CroppedRows(PatchDataset):
    """Rows that are blocks at random places of volumes, drawn anew in every batch.

    Row i comes from volume i // per_volume. `features` and `weights`, the rows without randomness,
    are one such draw.
    """

    volumes: tuple[Tensor, ...]  # X Y Z 2 of uint16: value, and whether it is known
    per_volume: int
    patch: int
    flip: bool

    def __getitems__(self, index: Sequence[int]) -> Batch:
        """Rows by number, each from a new place of its volume."""
        rows = torch.as_tensor(index)
        features, weights = cut(self.volumes, rows // self.per_volume, self.patch)
        if self.flip:
            features, weights = _mirror(features, weights, self.patch)
        known = None if self.weights is None else weights
        return Batch(self.queries, features, known, rows)


@dataclass(kw_only=True, eq=False)
class MRIDataModule(SignalDataModule):
    """Any folder of NIfTI files, searched recursively, such as that of the IXI data set.

    Training sees blocks of voxels of the edge `spacing`, or of coarser ones: finer voxels are
    interpolated to `spacing`, for training only. Files are compressed as they are.

    Args:
        patch: edge of a block in voxels.
        spacing: edge of these voxels in millimetres; None ignores the size of voxels.
        percentile: beyond which values are clipped, see `MRI`.
        random_patches: training blocks per volume and epoch, from random places.
        flip: mirror half of the training blocks along x, which in most files is left to right.

    Raises:
        UsageError: an option out of range.
        SignalError: a folder without NIfTI files, or a file that cannot be read.
    """

    patch: int = 8
    spacing: float | None = 1.0
    percentile: float = 99.99
    random_patches: int = option(1024, least=1)
    flip: bool = False
    batch_size: int = 64
    sample_folder: Path = Path("runs/sample/mri")
    sample_count: int = 16

    def build_modality(self) -> MRI:
        """Volumes of these options."""
        return MRI(self.patch, self.spacing, self.percentile)

    def check(self, path: Path) -> None:
        """Raise SignalError if a file cannot be read, or holds labels, which no field can learn."""
        self._scan(path)

    def training_rows(self, paths: list[Path]) -> PatchDataset:
        """Blocks from random places."""
        volumes = tuple(volume for path in paths for volume in self._volumes(path))
        which = torch.arange(len(volumes)).repeat_interleave(self.random_patches)
        features, weights = cut(volumes, which, self.patch)
        return CroppedRows(
            grid.coordinates((self.patch,) * 3)[None],
            features,
            None if all(bool(v[..., 1].all()) for v in volumes) else weights,
            volumes=volumes,
            per_volume=self.random_patches,
            patch=self.patch,
            flip=self.flip,
        )

    def validation_rows(self, paths: list[Path]) -> PatchDataset:
        """All blocks."""
        side = (self.patch,) * 3
        volumes = [volume for path in paths for volume in self._volumes(path)]
        features, weights = _parted(torch.cat([grid.split(each.float(), side) for each in volumes]))
        known = None if bool((weights == 1).all()) else weights
        return PatchDataset(grid.coordinates(side)[None], features, known)

    def _scan(self, path: Path) -> Signal:
        signal = self.modality.read(path)
        if signal.meta["labels"] is not None:
            raise SignalError(f"{path}: a label volume, which is kept exactly; train on scans only")
        return signal

    def _volumes(self, path: Path) -> list[Tensor]:
        """The volumes of a file as X Y Z 2, in voxels of the model or coarser ones."""
        signal = self._scan(path)
        header = load_header(path)
        factors = [1.0] * 3
        if self.spacing is not None:
            factors = [min(size / self.spacing, 1.0) for size in header.sizes()]
        values = signal.features.reshape(header.volumes, *header.space).numpy()
        known = np.ones_like(values)
        if signal.weights is not None:
            known = signal.weights.reshape(values.shape).numpy()
        return [_stored(*resampled(v, k, factors)) for v, k in zip(values, known, strict=True)]


def resampled(
    values: NDArray[np.float32], known: NDArray[np.float32], factors: Sequence[float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A volume and its mask with so many times the voxels along every axis.

    Splines of third order; of first order where something is unknown, whose edge would ring.
    """
    if all(abs(f - 1) < _SAME_SIZE for f in factors):
        return values, known
    factors = [max(f, 1.0 / n) for f, n in zip(factors, values.shape, strict=True)]
    whole = bool(known.all())
    options = {"mode": "nearest", "grid_mode": True}
    made = zoom(values, factors, order=3 if whole else 1, **options)
    mask = np.ones_like(made) if whole else zoom(known, factors, order=0, **options)
    return np.clip(made, 0.0, 1.0), mask


def cut(
    volumes: tuple[Tensor, ...], which: Tensor, patch: int
) -> tuple[Float[Tensor, "B M 1"], Float[Tensor, "B M"]]:
    """One random block from each of the volumes, by their numbers: features and weights."""
    both = torch.empty(len(which), patch**3, 2)
    for number in which.unique().tolist():
        mine = which == number
        volume = volumes[number]
        room = [max(n - patch, 0) + 1 for n in volume.shape[:3]]
        start = torch.stack([torch.randint(n, (int(mine.sum()),)) for n in room], dim=-1)
        both[mine] = grid.crop(volume, (patch,) * 3, start).float()
    return _parted(both)


def _stored(values: NDArray[np.float32], known: NDArray[np.float32]) -> Tensor:
    pair = np.stack([np.rint(values * _LEVELS), known], axis=-1)
    return torch.from_numpy(pair.astype(np.uint16))


def _parted(both: Float[Tensor, "B M 2"]) -> tuple[Float[Tensor, "B M 1"], Float[Tensor, "B M"]]:
    """Features and weights; a block without a known voxel is 0 throughout."""
    weights = both[..., 1].clone()
    weights[weights.sum(1) == 0] = 1.0
    return both[..., :1] / _LEVELS, weights


def _mirror(features: Tensor, weights: Tensor, patch: int) -> tuple[Tensor, Tensor]:
    """Mirror half of the rows, on average, along their first axis."""
    chosen = torch.rand(len(features)) < 0.5
    side = (patch, patch * patch)
    turned = [each.unflatten(1, side).flip(1).flatten(1, 2) for each in (features, weights)]
    return (
        torch.where(chosen[:, None, None], turned[0], features),
        torch.where(chosen[:, None], turned[1], weights),
    )
