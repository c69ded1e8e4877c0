"""Files to signals to batches: the base of every DataModule."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from inrc.errors import SignalError
from inrc.signal import Modality


class Batch(NamedTuple):
    """Rows of a batch. One part of `queries` or `weights` is shared by all rows."""

    queries: Float[Tensor, "#B M Q"]
    features: Float[Tensor, "B M C"]
    weights: Float[Tensor, "#B M"] | None
    rows: Int[Tensor, "B"]

    def pick(self, observations: Int[Tensor, "N"]) -> "Batch":
        """The same rows at some of their observations."""
        return self._replace(
            queries=self.queries[:, observations],
            features=self.features[:, observations],
            weights=None if self.weights is None else self.weights[:, observations],
        )


@dataclass(frozen=True)
class PatchDataset(Dataset[Batch]):
    """All parts of a list of signals, in memory, asked a whole batch at a time."""

    queries: Float[Tensor, "#N M Q"]
    features: Float[Tensor, "N M C"]
    weights: Float[Tensor, "#N M"] | None = None

    def __len__(self) -> int:
        return self.features.shape[0]

    def __getitems__(self, index: Sequence[int]) -> Batch:
        rows = torch.as_tensor(index)
        return Batch(
            _take(self.queries, rows),
            self.features[rows],
            None if self.weights is None else _take(self.weights, rows),
            rows,
        )

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def select(self, index: Int[Tensor, "R"]) -> tuple[Tensor, Tensor, Tensor | None]:
        """Queries, features and weights of some rows, never changed at random."""
        weights = None if self.weights is None else _take(self.weights, index)
        return _take(self.queries, index), self.features[index], weights

    def portions(self, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """All rows, so many at a time."""
        for start in range(0, len(self), size):
            yield self.select(torch.arange(start, min(start + size, len(self))))


def read_rows(modality: Modality, paths: Sequence[Path]) -> PatchDataset:
    """Read and split files; all must be asked at as many places and answer as many features.

    Raises SignalError, naming the file, if one differs from the first.
    """
    signals = [modality.split(modality.read(path)) for path in paths]
    if not signals:
        raise SignalError("no files to read")
    first = signals[0]
    for path, signal in zip(paths, signals, strict=True):
        if signal.features.shape[1:] != first.features.shape[1:]:
            raise SignalError(
                f"{path}: {tuple(signal.features.shape[1:])} observations and features, but "
                f"{paths[0]} has {tuple(first.features.shape[1:])}: set a patch, or sort the files"
            )
    return PatchDataset(
        _gather([s.queries for s in signals], [s.parts for s in signals]),
        torch.cat([s.features for s in signals]),
        _gather(
            [
                torch.ones(1, s.features.shape[1]) if s.weights is None else s.weights
                for s in signals
            ],
            [s.parts for s in signals],
        )
        if any(s.weights is not None for s in signals)
        else None,
    )


def _take(tensor: Tensor, rows: Tensor) -> Tensor:
    return tensor if tensor.shape[0] == 1 else tensor[rows]


def _gather(tensors: list[Tensor], parts: list[int]) -> Tensor:
    """One shared part if all are the same, else one for every row."""
    first = tensors[0][:1]
    if all(t.shape[0] == 1 and torch.equal(t, first) for t in tensors):
        return first
    return torch.cat([t.expand(n, *t.shape[1:]) for t, n in zip(tensors, parts, strict=True)])


class SignalDataModule(L.LightningDataModule):
    """Files, split into training and validation, as batches of rows.

    A subclass says which modality reads the files and, if it likes, where they come from. From
    `setup` on, `train_rows` and `val_rows` hold what the files hold, and `train_paths` and
    `val_paths` name them: the end of training compresses the latter into real archives.

    Args:
        modality: how a file becomes a signal.
        root: a folder of files (searched recursively), or one file; None writes the modality's own
            sample to `sample_folder` and uses that.
        batch_size: rows per step and process.
        val_fraction: share of the files, the last in order of their names, kept for validation.
        sample_folder: where the sample goes.
        sample_count: files of the sample.
        seed: of the sample.
        workers: processes that read ahead; rows live in memory, so 0 is the fastest for most.
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
    ) -> None:
        super().__init__()
        self.modality = modality
        self.root = root
        self.batch_size = batch_size
        self.val_fraction = val_fraction
        self.sample_folder = sample_folder
        self.sample_count = sample_count
        self.seed = seed
        self.workers = workers
        self.train_rows: PatchDataset | None = None
        self.val_rows: PatchDataset | None = None
        self.train_paths: list[Path] = []
        self.val_paths: list[Path] = []

    def files(self) -> tuple[list[Path], list[Path]]:
        """Training files and validation files."""
        root = self.root
        if root is None:
            root = self.sample_folder
            paths = self.modality.sample(root, self.seed, self.sample_count)
        elif root.is_file():
            paths = [root]
        else:
            paths = sorted(p for p in root.rglob("*") if self.modality.accepts(p) and p.is_file())
        if not paths:
            wanted = ", ".join(self.modality.suffixes)
            raise SignalError(f"{root}: no {self.modality.name} files here (looked for {wanted})")
        held = round(len(paths) * self.val_fraction)
        held = min(max(held, 1), len(paths) - 1) if len(paths) > 1 else 0
        return (paths[: len(paths) - held], paths[len(paths) - held :]) if held else (paths, paths)

    def prepare_data(self) -> None:
        """Write the sample once per machine, before other processes look for it."""
        self.files()

    def setup(self, stage: str) -> None:
        if self.train_rows is None:
            self.train_paths, self.val_paths = self.files()
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

    def predict_dataloader(self) -> DataLoader[Batch]:
        return self.val_dataloader()

    def _loader(self, rows: PatchDataset, shuffle: bool) -> DataLoader[Batch]:
        return DataLoader(
            rows,
            batch_size=min(self.batch_size, len(rows)),
            shuffle=shuffle,
            drop_last=shuffle,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            collate_fn=_same,
        )


def _same(batch: Any) -> Any:
    """`PatchDataset` is asked a whole batch at a time and has collated it."""
    return batch
