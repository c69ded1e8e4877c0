"""Folders of clips as training data."""

from collections.abc import Sequence
from pathlib import Path

from inrc import grid
from inrc.data import PatchDataset, SignalDataModule, read_rows
from inrc.errors import SignalError, UsageError
from inrc_modalities.video.modality import Video
from inrc_modalities.video.pixels import features
from inrc_modalities.video.reading import load
from inrc_modalities.video.rows import CutRows, Store, cut


class VideoDataModule(SignalDataModule):
    """Any folder of clips, searched recursively.

    Args:
        root: folder of training clips, or one clip; None makes a small sample.
        val_root: folder of validation clips; None keeps a part of `root`, the last by name.
        patch: frames, height and width in pixels of the blocks that a clip is cut into.
        chroma: factor of the difference of Cb and Cr from grey, see `Video`.
        random_patches: train on this many blocks per clip and epoch, from random places and
            mirrored at random in y, x and time, instead of the regular ones.
        batch_size: blocks per step and process.
        val_fraction: share of `root` kept for validation without a `val_root`.
        sample_folder: where the sample is written.
        sample_count: number of clips of the sample.
        seed: seed of the sample.
        workers: processes that read ahead.
        skip_bad: leave out files that cannot be read, with a line for each, instead of stopping at
            the first.

    Raises:
        UsageError: fewer than 1 random patch, or a val_root without a root.
        SignalError: a folder that is missing or holds no clip, or a file that cannot be read.
    """

    def __init__(
        self,
        root: Path | None = None,
        val_root: Path | None = None,
        patch: Sequence[int] = (8, 16, 16),
        chroma: float = 1.0,
        random_patches: int | None = None,
        batch_size: int = 64,
        val_fraction: float = 0.2,
        sample_folder: Path = Path("runs/sample/video"),
        sample_count: int = 32,
        seed: int = 0,
        workers: int = 0,
        skip_bad: bool = False,
    ) -> None:
        self.video = Video(patch, chroma)
        super().__init__(
            self.video, root, batch_size, val_fraction, sample_folder, sample_count, seed, workers,
            skip_bad,
        )  # fmt: skip
        if random_patches is not None and random_patches < 1:
            raise UsageError(f"data.random_patches: {random_patches}; give 1 or more, or null")
        self.val_root = val_root
        self.random_patches = random_patches

    def files(self) -> tuple[list[Path], list[Path]]:
        """Training files and validation files."""
        if self.val_root is None:
            return super().files()
        if self.root is None:
            raise UsageError("data.val_root: needs data.root, a folder to train on")
        return clips_in(self.root), clips_in(self.val_root)

    def setup(self, stage: str) -> None:
        """Read all files into memory, once."""
        if self.train_rows is None:
            self.train_paths, self.val_paths = self.usable_files()
            self.val_rows = read_rows(self.modality, self.val_paths)
            self.train_rows = self._training(self.train_paths)

    def _training(self, paths: Sequence[Path]) -> PatchDataset:
        if self.random_patches is None:
            return read_rows(self.modality, paths)
        store = Store.of(
            features(clip, self.video.chroma).unflatten(1, clip.shape[1:])
            for clip in map(load, paths)
        )
        patch, count = self.video.patch, self.random_patches
        clips = [number for number in range(len(paths)) for _ in range(count)]
        drawn = cut(store, clips, patch)
        return CutRows(
            grid.coordinates(patch)[None], drawn, store=store, per_clip=count, patch=patch
        )


def clips_in(root: Path) -> list[Path]:
    """The clips below a folder, in order of their names, or the only file.

    Raises:
        SignalError: no such folder, or no clips in it.
    """
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise SignalError(f"{root}: no such file or folder")
    paths = sorted(p for p in root.rglob("*") if Video.accepts(p) and p.is_file())
    if not paths:
        raise SignalError(f"{root}: no clips here (looked for {', '.join(Video.suffixes)})")
    return paths
