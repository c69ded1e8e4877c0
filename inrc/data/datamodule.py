"""The base of every DataModule: which files there are, and how they become batches."""

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.data import DataLoader

from inrc.data.files import hold_out, list_files
from inrc.data.options import check_ranges, option
from inrc.data.rows import Batch, PatchDataset, read_rows
from inrc.errors import SignalError, UsageError
from inrc.signal import Modality


@dataclass(kw_only=True, eq=False)
class SignalDataModule(L.LightningDataModule, ABC):
    """Files, split into training and validation, as batches of rows.

    A subclass is a dataclass too: its fields are options, added to those below, and a field that it
    declares again gets another default. `build_modality` makes the modality that reads the files.
    A subclass may override which files there are (`list_files`, `hold_out`, `files`) and how they
    become rows (`training_rows`, `validation_rows`).

    From `setup` on, `train_rows` and `val_rows` hold the contents of the files, and `train_paths`
    and `val_paths` their names. The end of training compresses the validation files into archives.

    Args:
        root: a folder of files, searched recursively, or one file; None writes a sample of the
            modality to `sample_folder` and uses that.
        val_root: a folder of validation files, or one file; None keeps a share of `root`.
        val_fraction: share of the files kept for validation if there is no `val_root`, the last in
            order of their names; one file alone is used for both.
        batch_size: rows per step and process.
        workers: processes that read ahead; rows are in memory, so 0 is fastest for most data.
        skip_bad: leave out files that cannot be read, with a line for each, instead of stopping at
            the first. Every file is then read twice.
        sample_folder: where the sample is written.
        sample_count: number of files of the sample.
        seed: seed of the sample.

    Raises:
        UsageError: an option that is out of range, or a `val_root` without a `root`.
    """

    root: Path | None = field(default=None, kw_only=False)
    val_root: Path | None = None
    val_fraction: float = option(0.2, least=0, below=1)
    batch_size: int = option(16, least=1)
    workers: int = option(0, least=0)
    skip_bad: bool = False
    sample_folder: Path = Path("runs/sample")
    sample_count: int = option(32, least=1)
    seed: int = option(0, least=0)

    modality: Modality = field(init=False)

    def __post_init__(self) -> None:
        """Check the options, and make the modality."""
        super().__init__()
        check_ranges(self)
        if self.val_root is not None and self.root is None:
            raise UsageError("data.val_root: needs data.root; give both")
        self.train_rows: PatchDataset | None = None
        self.val_rows: PatchDataset | None = None
        self.train_paths: list[Path] = []
        self.val_paths: list[Path] = []
        self.modality = self.build_modality()

    @abstractmethod
    def build_modality(self) -> Modality:
        """The modality that reads the files."""

    def list_files(self, root: Path) -> list[Path]:
        """The files below a folder, in order of their names, or the one file.

        Raises SignalError if there is no file.
        """
        return list_files(root, self.modality)

    def hold_out(self, paths: list[Path]) -> tuple[list[Path], list[Path]]:
        """Split files into those to train on and those to validate on."""
        return hold_out(paths, self.val_fraction)

    def files(self) -> tuple[list[Path], list[Path]]:
        """Training files and validation files.

        Raises SignalError if there is no file.
        """
        if self.root is None:
            paths = self.modality.sample(self.sample_folder, self.seed, self.sample_count)
            return self.hold_out(paths)
        paths = self.list_files(self.root)
        if self.val_root is None:
            return self.hold_out(paths)
        return paths, self.list_files(self.val_root)

    def usable_files(self) -> tuple[list[Path], list[Path]]:
        """`files`, with `skip_bad` without those that cannot be read.

        Raises SignalError if no file can be read.
        """
        train, val = self.files()
        if not self.skip_bad:
            return train, val
        bad = {path for path in dict.fromkeys([*train, *val]) if not self._readable(path)}
        train, val = ([p for p in paths if p not in bad] for paths in (train, val))
        if not train and not val:
            raise SignalError(f"{self.root}: none of {len(bad)} files can be read; give others")
        return train or val, val or train

    def check(self, path: Path) -> None:
        """Raise SignalError if a file cannot be used."""
        self.modality.read(path)

    def _readable(self, path: Path) -> bool:
        try:
            self.check(path)
        except SignalError as error:
            _report(f"skipped {error}")
            return False
        return True

    def prepare_data(self) -> None:
        """Write the sample once per machine, before other processes look for it."""
        self.files()

    def find_files(self) -> None:
        """Set `train_paths` and `val_paths`, once."""
        if not self.val_paths:
            self.train_paths, self.val_paths = self.usable_files()

    def training_rows(self, paths: list[Path]) -> PatchDataset:
        """The rows of the training files, which may be drawn at random anew in every batch."""
        return read_rows(self.modality, paths)

    def validation_rows(self, paths: list[Path]) -> PatchDataset:
        """The rows of the validation files: what the codec encodes."""
        return read_rows(self.modality, paths)

    def setup(self, stage: str) -> None:
        """Read all files into memory, once."""
        if self.train_rows is None:
            self.find_files()
            rows = self.training_rows(self.train_paths)
            self.val_rows = self.validation_rows(self.val_paths)
            self.train_rows = rows

    def train_dataloader(self) -> DataLoader[Batch]:
        assert self.train_rows is not None
        return self._loader(self.train_rows, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        assert self.val_rows is not None
        return self._loader(self.val_rows, shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        return self.val_dataloader()

    def _loader(self, rows: PatchDataset, shuffle: bool) -> DataLoader[Batch]:
        processes = 1 if self.trainer is None else self.trainer.world_size
        return DataLoader(
            rows,
            # not more than a process has: an incomplete batch is dropped in training
            batch_size=min(self.batch_size, max(len(rows) // processes, 1)),
            shuffle=shuffle,
            drop_last=shuffle,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            collate_fn=_already_collated,
        )


def _already_collated(batch: Any) -> Any:
    """`PatchDataset` is read a whole batch at a time."""
    return batch


@rank_zero_only
def _report(line: str) -> None:
    print(line, file=sys.stderr)
