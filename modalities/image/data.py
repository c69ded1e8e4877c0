"""Folders of images as training data."""

from collections.abc import Sequence
from pathlib import Path

import torch

from inrc import grid
from inrc.data import PatchDataset, SignalDataModule, read_rows
from inrc.errors import SignalError, UsageError
from inrc_modalities.image.modality import Image
from inrc_modalities.image.reading import image_files
from inrc_modalities.image.rows import CroppedRows, MovedRows, cut, stack


class ImageDataModule(SignalDataModule):
    """A folder of images, searched recursively.

    `train_paths` and `val_paths` are the files of the two splits after `setup`.

    Args:
        root: folder of training images, or one image; None draws a small sample.
        val_root: folder of validation images; None keeps a part of `root`, the last by name.
        patch: side in pixels of the squares that an image is cut into; None for whole images, which
            then must all have the same shape.
        channels: 1 grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity.
        flip: mirror half of the training rows left to right, drawn anew in every epoch.
        shift: largest number of pixels by which the rows of a batch are moved, drawn in every step.
        random_patches: number of patches per image and epoch from random places, instead of the
            regular ones; needs `patch`. Row numbers then do not name a fixed content.
        batch_size: rows per step and process.
        val_fraction: share of `root` kept for validation where there is no `val_root`.
        sample_folder: where the sample is written.
        sample_count: number of images of the sample.
        seed: seed of the sample.
        workers: processes that read ahead.
        skip_bad: leave out files that cannot be read, with a line for each, instead of stopping at
            the first.

    Raises:
        UsageError: random patches without a patch, or a negative shift.
        SignalError: no such folder, a folder without images, or images of different shapes.
    """

    def __init__(
        self,
        root: Path | None = None,
        val_root: Path | None = None,
        patch: int | None = None,
        channels: int = 3,
        flip: bool = False,
        shift: int = 0,
        random_patches: int | None = None,
        batch_size: int = 16,
        val_fraction: float = 0.2,
        sample_folder: Path = Path("runs/sample/image"),
        sample_count: int = 32,
        seed: int = 0,
        workers: int = 0,
        skip_bad: bool = False,
    ) -> None:
        super().__init__(
            Image(patch, channels), root, batch_size, val_fraction, sample_folder, sample_count,
            seed, workers, skip_bad,
        )  # fmt: skip
        if random_patches is not None and (patch is None or random_patches < 1):
            raise UsageError("images: random_patches needs a patch; give both, of 1 or more")
        if shift < 0:
            raise UsageError(f"images: shift {shift}; give 0 pixels or more")
        self.val_root = val_root
        self.patch = patch
        self.flip = flip
        self.shift = shift
        self.random_patches = random_patches
        self.train_paths: list[Path] = []
        self.val_paths: list[Path] = []

    def files(self) -> tuple[list[Path], list[Path]]:
        """Training files and validation files."""
        if self.val_root is None:
            return super().files()
        if self.root is None:
            raise UsageError("images: val_root without root; give a root to train on")
        train, val = (image_files(root, Image.suffixes) for root in (self.root, self.val_root))
        return train, val

    def setup(self, stage: str) -> None:
        """Read all files into memory, once."""
        if self.train_rows is None:
            self.train_paths, self.val_paths = self.usable_files()
            self.val_rows = read_rows(self.modality, self.val_paths)
            self.train_rows = self._training(self.train_paths)

    def _training(self, paths: Sequence[Path]) -> PatchDataset:
        if self.random_patches is not None:
            return self._cropped(paths, self.random_patches)
        rows = read_rows(self.modality, paths)
        if not self.flip and not self.shift:
            return rows
        if rows.queries.shape[0] > 1:
            raise SignalError(
                f"{self.root}: images of several shapes cannot be flipped or moved; set a patch"
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
