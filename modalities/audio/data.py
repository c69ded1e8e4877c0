"""Folders of sounds as training data."""

from collections.abc import Sequence
from pathlib import Path

import torch

from inrc.data import PatchDataset, SignalDataModule, read_rows
from inrc.errors import SignalError
from inrc_modalities.audio import views
from inrc_modalities.audio.modality import Audio
from inrc_modalities.audio.rows import AugmentedRows


class AudioDataModule(SignalDataModule):
    """Any folder of sounds, searched recursively, of any lengths, rates and channels.

    Training rows are negated and reversed in time at random.

    `train_paths` and `val_paths` are the files of the two splits, known after `setup`.

    Args:
        root: folder of sounds, or one file; None makes a small sample.
        val_root: folder of validation sounds; None keeps a random part of `root`.
        patch: samples of a row.
        normalise: scale every file to a similar level.
        rows: train on this many patches, drawn uniformly from all, so that a large folder fits
            into memory; None takes all.
        batch_size: rows per step and process.
        val_fraction: share of the files of `root` kept for validation, drawn with `seed`.
        sample_folder: where the sample is written.
        sample_count: number of sounds of the sample.
        seed: seed of the sample, the split and the rows.
        workers: processes that read ahead.
        skip_bad: leave out files that cannot be read, with a line for each, instead of stopping at
            the first.

    Raises:
        SignalError: a folder that is missing or holds no sound, or a file that cannot be read.
    """

    def __init__(
        self,
        root: Path | None = None,
        val_root: Path | None = None,
        patch: int = 128,
        normalise: bool = False,
        rows: int | None = None,
        batch_size: int = 64,
        val_fraction: float = 0.2,
        sample_folder: Path = Path("runs/sample/audio"),
        sample_count: int = 32,
        seed: int = 0,
        workers: int = 0,
        skip_bad: bool = False,
    ) -> None:
        self.sound = Audio(patch, normalise)
        super().__init__(
            self.sound, root, batch_size, val_fraction, sample_folder, sample_count, seed, workers,
            skip_bad,
        )  # fmt: skip
        if rows is not None and rows < 1:
            raise SignalError(f"data.rows: {rows}; give 1 or more, or null for all")
        self.val_root = val_root
        self.patch = patch
        self.rows = rows

    def files(self) -> tuple[list[Path], list[Path]]:
        """Training files and validation files, in order of their names."""
        if self.val_root is not None and self.root is not None:
            return self._files_in(self.root), self._files_in(self.val_root)
        paths = (
            self.modality.sample(self.sample_folder, self.seed, self.sample_count)
            if self.root is None
            else self._files_in(self.root)
        )
        if len(paths) == 1:
            return paths, paths
        held = min(max(round(len(paths) * self.val_fraction), 1), len(paths) - 1)
        order = torch.randperm(len(paths), generator=torch.Generator().manual_seed(self.seed))
        chosen = {paths[i] for i in order[:held].tolist()}
        return [p for p in paths if p not in chosen], [p for p in paths if p in chosen]

    def setup(self, stage: str) -> None:
        """Read all files into memory, once."""
        if self.train_rows is None:
            self.train_paths, self.val_paths = self.usable_files()
            self.val_rows = read_rows(self.modality, self.val_paths)
            if self.rows is None:
                kept = read_rows(self.modality, self.train_paths)
            else:
                kept = draw(self.sound, self.train_paths, self.rows, self.seed)
            self.train_rows = AugmentedRows(kept.queries, kept.features)

    def _files_in(self, root: Path) -> list[Path]:
        if root.is_file():
            return [root]
        if not root.is_dir():
            raise SignalError(f"{root}: no such file or folder")
        paths = sorted(p for p in root.rglob("*") if self.modality.accepts(p) and p.is_file())
        if not paths:
            wanted = ", ".join(self.modality.suffixes)
            raise SignalError(f"{root}: no sounds here (looked for {wanted})")
        return paths


def draw(modality: Audio, paths: Sequence[Path], count: int, seed: int) -> PatchDataset:
    """Draw patches of files uniformly, in one pass, with at most `count` in memory.

    Reservoir sampling (Vitter 1985, algorithm R): patch n takes the place of a kept one with
    probability count / n.
    """
    generator = torch.Generator().manual_seed(seed)
    kept = torch.empty(0, modality.patch, 1)
    seen = 0
    for path in paths:
        parts = modality.split(modality.read(path)).features
        room = parts[: max(count - len(kept), 0)]
        kept = torch.cat([kept, room])
        number = torch.arange(seen + len(room), seen + len(parts), dtype=torch.float64)
        place = torch.rand(len(number), generator=generator, dtype=torch.float64) * (number + 1)
        place = place.long()
        for part, at in zip(parts[len(room) :], place.tolist(), strict=True):
            if at < count:
                kept[at] = part
        seen += len(parts)
    return PatchDataset(views.local(modality.patch), kept)
