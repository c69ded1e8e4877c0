"""PCA as a baseline: trained on the model's training rows, evaluated like any other codec.

Components and histograms are in a file beside the model. Like the model, they do not count in a
rate. A rate is that of the same archive that our codecs write: header, checksum, payload.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from inrc.container import Archive, Item, pack_archive, unpack_archive
from inrc.entropy.coder import Tables
from inrc.errors import ContainerError, ModelError, SignalError, one_line
from inrc.evaluation.components import Components, components
from inrc.evaluation.histograms import Histograms, histograms
from inrc.files import atomic_write
from inrc.model import Model
from inrc.signal import Baseline, Modality, QueryPlan, View

NAME = "PCA"
STEPS = tuple(4.0 * 2.0 ** (-2 * i / 3) for i in range(18))
"""Steps for features near [0, 1] and orthonormal components: 4 to 0.0016, 4 dB apart."""
MAX_ROWS = 20_000
"""Maximum number of training rows, that of our closed form."""
MAX_GRAM_SIDE = 4096
"""Maximum of the smaller of rows and numbers per row: larger eigendecompositions take minutes."""
MAX_DISTANCE = 1e-4
"""Maximum distance of equal points; coordinates are near [-1, 1]."""
VERSION = 1


@runtime_checkable
class TrainingRows(Protocol):
    """Training rows of data modules."""

    @property
    def features(self) -> Tensor:
        """N M C."""

    def __len__(self) -> int: ...

    def select(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Queries, features and weights of some rows."""


@dataclass(frozen=True)
class Linear:
    """Components of signals on one grid, and coders of their coefficients for every step."""

    grid: NDArray[np.float32]  # M Q
    components: Components
    coders: tuple[Histograms, ...]

    def encode(self, original: Path, step: float, model: Model) -> bytes:
        """An archive of a file.

        Raises SignalError for a file on another grid, or one that cannot be read.
        """
        modality = model.modality
        signal = modality.split(modality.read(original))
        where = self._places(signal.queries, str(original))
        if len(where) != 1 or not np.array_equal(where[0], np.arange(len(self.grid))):
            raise SignalError(
                f"{original}: its grid is not that of the components; train PCA again"
            )
        number = [coder.step for coder in self.coders].index(step)
        rows = signal.features.flatten(1).numpy()
        known = None
        if signal.weights is not None:
            known = _spread(signal.weights, signal.features.shape[2]) > 0
        symbols = self.coders[number].quantise(self.components.project(rows, known))
        payload = self.coders[number].encode(symbols)
        item = Item("", signal.meta, signal.parts)
        return pack_archive(Archive(model.id, number, (item,), payload, model.own), model.default)

    def decode(self, data: bytes, original: Path, decoded: Path, model: Model) -> None:
        """Write the file of an archive; the original defines the evaluation view.

        Raises ContainerError for damaged bytes, SignalError for a view between grid points.
        """
        archive = unpack_archive(data, model.default)
        if not 0 <= archive.quality < len(self.coders) or len(archive.items) != 1:
            raise ContainerError(f"{decoded}: not an archive of these components")
        coder, item = self.coders[archive.quality], archive.items[0]
        symbols = coder.decode(archive.payload, item.parts)
        self.write(symbols * coder.step, item, original, decoded, model)

    def write(
        self,
        coefficients: NDArray[np.float64],
        item: Item,
        original: Path,
        decoded: Path,
        model: Model,
    ) -> None:
        """Write the file of coefficients of its parts.

        Raises SignalError as `decode`.
        """
        channels = len(self.components.mean) // len(self.grid)
        rows = self.components.expand(coefficients).reshape(item.parts, -1, channels)
        reconstruction = model.modality.reconstruct(
            item.meta, model.modality.evaluation_view(original)
        )
        plan = next(reconstruction)
        try:
            while True:
                plan = reconstruction.send(self._answer(rows, plan, str(decoded)))
        except StopIteration as end:
            model.modality.write(end.value, decoded)

    def _answer(self, rows: NDArray[np.float32], plan: QueryPlan, what: str) -> Tensor:
        where = self._places(plan.queries, what)
        parts = np.array(plan.parts)
        return torch.from_numpy(rows[parts[:, None], where])

    def _places(self, queries: Tensor, what: str) -> NDArray[np.int64]:
        """Indices of queries in the grid, #P M."""
        asked = queries.numpy()
        if asked.shape[1:] == self.grid.shape and np.array_equal(asked[0], self.grid):
            if len(asked) == 1:
                return np.arange(len(self.grid))[None]
        if asked.shape[2] != self.grid.shape[1]:
            raise SignalError(f"{what}: its grid is not that of the components")
        far, where = cKDTree(self.grid).query(asked.reshape(-1, asked.shape[2]))
        if far.max(initial=0.0) > MAX_DISTANCE:
            raise SignalError(f"{what}: components have no values between the points of their grid")
        places: NDArray[np.int64] = where.reshape(asked.shape[:2]).astype(np.int64)
        return places


def learn(rows: TrainingRows, modality: Modality, sample: Path) -> Linear | None:
    """Components of training rows; None if signals share no grid.

    Components are defined on their grid only: the result is also None if a file (`sample` is one)
    is reconstructed from other points.

    Raises SignalError if there are too few rows, or all are equal.
    """
    numbers = rows.features.shape[1] * rows.features.shape[2]
    most = min(len(rows), MAX_ROWS if numbers <= MAX_GRAM_SIDE else MAX_GRAM_SIDE)
    queries, features, weights = rows.select(torch.linspace(0, len(rows) - 1, most).long())
    if queries.shape[0] != 1:
        return None
    flat = features.flatten(1).numpy()
    spread = None if weights is None else _spread(weights, features.shape[2])
    basis = components(flat, weights=spread)
    coefficients = basis.project(flat, None if spread is None else spread > 0)
    coders = tuple(histograms(coefficients, step) for step in STEPS)
    linear = Linear(queries[0].numpy(), basis, coders)
    meta = modality.read(sample).meta
    try:
        linear._places(next(modality.reconstruct(meta, View())).queries, str(sample))
    except SignalError:
        return None
    return linear


def _spread(weights: Tensor, channels: int) -> NDArray[np.float32]:
    """Weights of points as weights of the values of their channels."""
    spread: NDArray[np.float32] = np.repeat(weights.numpy(), channels, axis=1)
    return spread


def beside(model: Path) -> Path:
    """Path of the components of a model."""
    return model.with_name(f"{model.stem}.pca.npz")


def save(linear: Linear, path: Path) -> None:
    """Write components and histograms."""
    tables = [coder.tables for coder in linear.coders]
    counts = [
        row[:length]
        for each in tables
        for row, length in zip(each.counts, each.lengths, strict=True)
    ]
    with atomic_write(path, overwrite=True) as part, part.open("wb") as file:
        np.savez_compressed(
            file, version=VERSION, grid=linear.grid, mean=linear.components.mean,
            scale=linear.components.scale, basis=linear.components.basis,
            steps=[coder.step for coder in linear.coders],
            low=np.stack([coder.low for coder in linear.coders]).astype(np.uint8),
            counts=np.concatenate(counts).astype(np.uint16),
            lengths=np.stack([each.lengths for each in tables]),
            offsets=np.stack([each.offsets for each in tables]),
        )  # fmt: skip


def load(path: Path) -> Linear:
    """Read what `save` wrote.

    Raises ModelError for a damaged file.
    """
    try:
        with path.open("rb") as handle, np.load(handle) as file:
            if int(file["version"]) != VERSION:
                raise ModelError(f"{path}: of another version; train or evaluate again")
            basis = Components(file["mean"], file["scale"], file["basis"])
            grid, steps, low, flat = (file[key] for key in ("grid", "steps", "low", "counts"))
            lengths, offsets = file["lengths"], file["offsets"]
        at, coders = 0, []
        for number, step in enumerate(steps):
            counts = np.zeros((len(basis.basis), int(lengths[number].max())), np.int32)
            for row, length in zip(counts, lengths[number], strict=True):
                row[:length] = flat[at : at + length]
                at += int(length)
            tables = Tables(counts, lengths[number], offsets[number])
            coders.append(Histograms(float(step), tables, low[number].astype(np.int64)))
        return Linear(grid, basis, tuple(coders))
    except (OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile, ContainerError) as error:
        raise ModelError(
            f"{path}: damaged components ({one_line(error):.80}); train or evaluate again"
        ) from error


@lru_cache(1)
def _loaded(path: Path, changed: float) -> Linear:
    return load(path)


def baselines(path: Path, model: Model) -> Sequence[Baseline]:
    """PCA, if its file is beside the model's."""
    file = beside(path)
    if not file.is_file():
        return []
    linear = _loaded(file, file.stat().st_mtime)
    return [
        Baseline(
            NAME, "step", tuple(coder.step for coder in linear.coders),
            partial(linear.encode, model=model), partial(linear.decode, model=model), learned=file,
        )
    ]  # fmt: skip
