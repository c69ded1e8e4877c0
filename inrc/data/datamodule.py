"""The base of every DataModule: which files there are, and how they become batches."""

import sys
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.data import DataLoader

from inrc.data.rows import Batch, PatchDataset, read_rows
from inrc.errors import SignalError, UsageError
from inrc.signal import Modality


class SignalDataModule(L.LightningDataModule):
    """Files, split into training and validation, as batches of rows.

    A subclass chooses the modality that reads the files, and may override `files`. From `setup` on,
    `train_rows` and `val_rows` hold the contents of the files, and `train_paths` and `val_paths`
    their names. The end of training compresses the validation files into archives.

    Args:
        modality: how a file becomes a signal.
        root: a folder of files, searched recursively, or one file; None writes a sample of the
            modality to `sample_folder` and uses that.
        batch_size: rows per step and process.
        val_fraction: share of the files kept for validation, the last in order of their names.
        sample_folder: where the sample is written.
        sample_count: number of files of the sample.
        seed: seed of the sample.
        workers: processes that read ahead; rows are in memory, so 0 is fastest for most data.
        skip_bad: leave out files that cannot be read, with a line for each, instead of stopping at
            the first. Every file is then read twice.

    Raises:
        UsageError: a number that is out of range.
    """

    def __init__(
        self,
        modality: Modality,
        root: Path | None = None,
        batch_size: int = 16,
        val_fraction: float = 0.2,
        sample_folder: Path = Path("runs/sample"),
        sample_count: int = 32,
        seed: int = 0,
        workers: int = 0,
        skip_bad: bool = False,
    ) -> None:
        super().__init__()
        for name, number, least in (
            ("batch_size", batch_size, 1), ("sample_count", sample_count, 1), ("seed", seed, 0),
            ("workers", workers, 0),
        ):  # fmt: skip
            if number < least:
                raise UsageError(f"data.{name}: {number}; give {least} or more")
        if not 0 <= val_fraction < 1:
            raise UsageError(f"data.val_fraction: {val_fraction}; give 0 or more, below 1")
        self.modality = modality
        self.root = root
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.sample_folder = sample_folder
        self.sample_count = sample_count
        self.seed = seed
        self.workers = workers
        self.skip_bad = skip_bad
        self.train_rows: PatchDataset | None = None
        self.val_rows: PatchDataset | None = None
        self.train_paths: list[Path] = []
        self.val_paths: list[Path] = []

    def files(self) -> tuple[list[Path], list[Path]]:
        """Training files and validation files; one file alone is both.

        Raises SignalError if there is no file.
        """
        root = self.root
        if root is None:
            root = self.sample_folder
            paths = self.modality.sample(root, self.seed, self.sample_count)
        elif root.is_file():
            paths = [root]
        else:
            paths = sorted(p for p in root.rglob("*") if self.modality.accepts(p) and p.is_file())
        if not paths:
            reason = "no such file or folder"
            if root.is_dir():
                wanted = ", ".join(self.modality.suffixes)
                reason = f"no {self.modality.name} files here (looked for {wanted})"
            raise SignalError(f"{root}: {reason}")
        held = round(len(paths) * self.val_fraction)
        held = min(max(held, 1), len(paths) - 1) if len(paths) > 1 else 0
        return (paths[: len(paths) - held], paths[len(paths) - held :]) if held else (paths, paths)

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
            raise SignalError(f"{self.root}: none of {len(bad)} files can be read")
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

    def setup(self, stage: str) -> None:
        """Read all files into memory, once."""
        if self.train_rows is None:
            self.train_paths, self.val_paths = self.usable_files()
            self.train_rows = read_rows(self.modality, self.train_paths)
            self.val_rows = read_rows(self.modality, self.val_paths)

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
