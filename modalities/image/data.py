"""Folders of images as training data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from inrc import grid
from inrc.data import PatchDataset, SignalDataModule, option
from inrc.errors import SignalError, UsageError
from inrc_modalities.image.modality import Image
from inrc_modalities.image.rows import CroppedRows, MovedRows, cut, stack


@dataclass(kw_only=True, eq=False)
class ImageDataModule(SignalDataModule):
    """A folder of images, searched recursively.

    Args:
        patch: side in pixels of the squares that an image is cut into; None for whole images, which
            then must all have the same shape.
        channels: 1 grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity.
        flip: mirror half of the training rows left to right, drawn anew in every epoch.
        shift: largest number of pixels by which the rows of a batch are moved, drawn in every step.
        random_patches: number of patches per image and epoch from random places, instead of the
            regular ones; needs `patch`. Row numbers then do not name a fixed content.

    Raises:
        UsageError: an option out of range, or random patches without a patch.
        SignalError: no such folder, a folder without images, or images of different shapes.
    """

    patch: int | None = None
    channels: int = 3
    flip: bool = False
    shift: int = option(0, least=0)
    random_patches: int | None = option(None, least=1)
    sample_folder: Path = Path("runs/sample/image")

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        if self.random_patches is not None and self.patch is None:
            raise UsageError("data.random_patches: needs data.patch; give both")

    def build_modality(self) -> Image:
        """Images of these options."""
        return Image(self.patch, self.channels)

    def training_rows(self, paths: list[Path]) -> PatchDataset:
        """Patches or whole images, moved or from random places if asked."""
        if self.random_patches is not None:
            return self._cropped(paths, self.random_patches)
        rows = super().training_rows(paths)
        if not self.flip and not self.shift:
            return rows
        if rows.queries.shape[0] > 1:
            raise SignalError(
                f"{paths[0].parent}: images of several shapes cannot be flipped or moved; "
                "set a patch"
            )
        side = (self.patch, self.patch) if self.patch else self.modality.read(paths[0]).shape
        return MovedRows(
            rows.queries, rows.features, rows.weights,
            side=(side[0], side[1]), flip=self.flip, shift=self.shift,
        )  # fmt: skip

    def _cropped(self, paths: Sequence[Path], count: int) -> PatchDataset:
        assert self.patch is not None
        signals = (self.modality.read(path) for path in paths)
        stacks = stack((s.features.reshape(*s.shape, -1), s.meta["depth"]) for s in signals)
        drawn = cut(stacks, torch.arange(len(paths)).repeat_interleave(count), self.patch)
        return CroppedRows(
            grid.coordinates((self.patch, self.patch))[None],
            drawn,
            stacks=stacks,
            per_image=count,
            side=self.patch,
            flip=self.flip,
        )
