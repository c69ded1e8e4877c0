"""Rows of training data in memory, and batches of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from inrc.errors import SignalError
from inrc.signal import Modality, Signal


class Batch(NamedTuple):
    """Some rows, with their numbers. One part of `queries` or `weights` is shared by all rows."""

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
    """All parts of a list of signals, in memory. A data loader reads a whole batch at a time."""

    queries: Float[Tensor, "#N M Q"]
    features: Float[Tensor, "N M C"]
    weights: Float[Tensor, "#N M"] | None = None

    def __len__(self) -> int:
        return self.features.shape[0]

    def __getitems__(self, index: Sequence[int]) -> Batch:
        rows = torch.as_tensor(index)
        return Batch(
            _select(self.queries, rows),
            self.features[rows],
            None if self.weights is None else _select(self.weights, rows),
            rows,
        )

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def select(self, index: Int[Tensor, "R"]) -> tuple[Tensor, Tensor, Tensor | None]:
        """Queries, features and weights of some rows, without random augmentation."""
        weights = None if self.weights is None else _select(self.weights, index)
        return _select(self.queries, index), self.features[index], weights

    def portions(self, size: int) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """All rows in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.select(torch.arange(start, min(start + size, len(self))))


def read_rows(modality: Modality, paths: Sequence[Path]) -> PatchDataset:
    """Read files and split them into parts of equal size.

    Raises SignalError, naming the file, if one cannot be read, or if its parts do not have as many
    observations and features as those of the first.
    """
    signals = [modality.split(modality.read(path)) for path in paths]
    if not signals:
        raise SignalError("no files to read")
    first = signals[0]
    for path, signal in zip(paths, signals, strict=True):
        if signal.features.shape[1:] != first.features.shape[1:]:
            raise SignalError(
                f"{path}: {_size(signal)}, but {paths[0]} has {_size(first)}; set a patch, or "
                "train on files of one size"
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


def _size(signal: Signal) -> str:
    observations, features = signal.features.shape[1:]
    return f"{observations:,} observations x {features} features"


def _select(tensor: Tensor, rows: Tensor) -> Tensor:
    return tensor if tensor.shape[0] == 1 else tensor[rows]


def _gather(tensors: list[Tensor], parts: list[int]) -> Tensor:
    """One shared part if all are equal, else one for every row."""
    first = tensors[0][:1]
    if all(t.shape[0] == 1 and torch.equal(t, first) for t in tensors):
        return first
    return torch.cat([t.expand(n, *t.shape[1:]) for t, n in zip(tensors, parts, strict=True)])
