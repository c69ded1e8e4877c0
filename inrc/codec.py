"""Native files to the bytes of an archive, and back. Needs a model, but no trainer."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inrc.container import Archive, Item, pack_archive, unpack_archive
from inrc.errors import ContainerError, ModelError, SignalError, UsageError
from inrc.files import atomic_write
from inrc.model import Model
from inrc.signal import QueryPlan, Reconstruction, Signal, View

Report = Callable[[int, int], None]
"""Progress: (done, of)."""

LIMIT = 1 << 33
"""Observations that one item may decode to; more is taken for damage or malice."""
EFFORT = 5
"""Of 1 ... 9, each twice the one before. The knee: COIN++ on CIFAR-10 gains 0.3 dB at 4 times the
time of 1, and 0.5 dB at 13 times (7)."""
HARDEST = 9
BATCH = 512
"""Parts of several files that are encoded or decoded together, at least."""
HELD = 1 << 27
"""Features of files that wait to be encoded together, at most: half a GiB of float32."""
FINE = 1000
"""Pieces of a file's progress."""


@dataclass(frozen=True)
class Compressed:
    """An archive, and what could not go into it."""

    data: bytes
    payload: int
    items: tuple[Item, ...]
    observations: int
    failed: list[tuple[Path, str]]


def compress(
    paths: Sequence[Path],
    model: Model,
    quality: int | None = None,
    steps: int | None = None,
    report: Report | None = None,
    effort: int = EFFORT,
) -> Compressed:
    """Encode files into one archive.

    A file that cannot be read is listed in `failed` and left out. Without `quality` the middle of the
    quality levels is taken; `effort`, 1 ... 9, is how long the code is searched, twice as long each;
    `steps` are those of the adapter, in the place of what the effort says.

    Raises SignalError if no file can be read, UsageError for a quality level that the model has not or an
    effort that there is not.
    """
    if not 1 <= effort <= HARDEST:
        raise UsageError(f"effort {effort}: give 1 (fast) to {HARDEST} (thorough)")
    share = 2.0 ** (effort - EFFORT)
    number = model.num_qualities // 2 if quality is None else quality
    if not 0 <= number < model.num_qualities:
        raise UsageError(
            f"quality level {number}: this model has quality levels 0 to {model.num_qualities - 1}"
        )
    bottleneck = model.network.bottleneck(number)
    if not bottleneck.ready:
        raise ModelError("this model has no probability tables: its training did not end")
    names = _names(paths)
    items: list[Item] = []
    symbols: list[Tensor] = []
    waiting: list[Signal] = []
    failed: list[tuple[Path, str]] = []
    observations = 0

    def flush() -> None:
        if waiting:
            symbols.append(_code(waiting, model, number, steps, watch, share))
            waiting.clear()  # what they hold is not needed any more

    def watch(share: float) -> None:
        done = len(items) - len(waiting) + share * len(waiting)
        if report:
            report(round(FINE * done), FINE * (len(paths) - len(failed)))

    for path, name in zip(paths, names, strict=True):
        try:
            signal = _read(path, model)
        except SignalError as error:
            failed.append((path, str(error)))
            continue
        if waiting and not _alike(waiting[-1], signal):
            flush()
        waiting.append(signal)
        items.append(Item(name, signal.meta, signal.parts))
        observations += model.modality.num_units(signal.shape)
        del signal  # `flush` lets go of the others
        held = sum(each.features.numel() for each in waiting)
        if sum(each.parts for each in waiting) >= BATCH or held > HELD:
            flush()
    flush()
    if not items:
        raise SignalError(failed[0][1] if failed else "no files to compress")
    if len(items) == 1 and len(paths) == 1:
        items = [Item("", items[0].meta, items[0].parts)]
    payload = bottleneck.compress(symbols[0] if len(symbols) == 1 else torch.cat(symbols))
    data = pack_archive(Archive(model.id, number, tuple(items), payload, model.own), model.default)
    return Compressed(data, len(payload), tuple(items), observations, failed)


def _read(path: Path, model: Model) -> Signal:
    signal = model.modality.split(model.modality.read(path))
    if signal.features.shape[2] != model.modality.feature_dim:
        raise SignalError(
            f"{path}: {signal.features.shape[2]} features, the model has "
            f"{model.modality.feature_dim}"
        )
    if not bool(torch.isfinite(signal.features).all()):
        raise SignalError(f"{path}: non-finite values cannot be compressed")
    return signal


def _alike(a: Signal, b: Signal) -> bool:
    """Whether the parts of two signals can be rows of one batch that share their queries."""
    if a.weights is not None or b.weights is not None:
        return False
    return a.queries.shape[0] == 1 and torch.equal(a.queries, b.queries)


def _code(
    signals: Sequence[Signal],
    model: Model,
    quality: int,
    steps: int | None,
    watch: Callable[[float], None],
    effort: float,
) -> Tensor:
    first = signals[0]
    features = torch.cat([signal.features for signal in signals])
    parts = [signal.parts for signal in signals]
    return model.network.encode(
        quality, first.queries, features, first.weights, steps, watch, effort, parts
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """Names of the items: relative to the folder that holds them all."""
    if len(paths) < 2:
        return [path.name for path in paths]
    whole_paths = [path.resolve() for path in paths]
    root = whole_paths[0].parent
    while not all(path.is_relative_to(root) for path in whole_paths):
        root = root.parent
    return [path.relative_to(root).as_posix() for path in whole_paths]


@dataclass(frozen=True)
class Opened:
    """An archive whose symbols are decoded; its fields are evaluated when they are asked."""

    model: Model
    archive: Archive
    latents: Tensor
    starts: tuple[int, ...]

    def signal(self, number: int, view: View) -> Signal:
        """One item as the signal to write."""
        return next(self.signals([number], [view]))

    def signals(self, numbers: Sequence[int], views: Sequence[View]) -> Iterator[Signal]:
        """Items as the signals to write; those that are asked at the same points go together."""
        waiting: list[_Running] = []
        for number, view in zip(numbers, views, strict=True):
            running = self._start(number, view)
            rows = sum(len(each.plan.parts) for each in waiting)
            if waiting and (rows >= BATCH or not _same_points(waiting[-1].plan, running.plan)):
                yield from self._finish(waiting)
                waiting = []
            waiting.append(running)
        yield from self._finish(waiting)

    def _start(self, number: int, view: View) -> "_Running":
        item = self.archive.items[number]
        reconstruction = self.model.modality.reconstruct(item.meta, view)
        plan = self._checked(number, next(reconstruction))
        if not view and len(set(plan.parts)) != item.parts:
            raise ContainerError(
                f"item {number}: declares {item.parts} parts, has {len(set(plan.parts))}"
            )
        return _Running(number, reconstruction, plan)

    def _checked(self, number: int, plan: QueryPlan) -> QueryPlan:
        if any(not 0 <= part < self.archive.items[number].parts for part in plan.parts):
            raise ContainerError(f"item {number}: asks for parts that it has not")
        if len(plan.parts) * plan.queries.shape[1] > LIMIT:
            raise ContainerError(f"item {number}: more than {LIMIT} points")
        return plan

    def _finish(self, waiting: list["_Running"]) -> Iterator[Signal]:
        if not waiting:
            return
        answers = self._answer([(each.number, each.plan) for each in waiting])
        for each, features in zip(waiting, answers, strict=True):
            try:
                while True:
                    plan = self._checked(each.number, each.reconstruction.send(features))
                    (features,) = self._answer([(each.number, plan)])
            except StopIteration as end:
                yield end.value

    def _answer(self, asked: list[tuple[int, QueryPlan]]) -> tuple[Tensor, ...]:
        """Features of several items that are asked at the points of the first."""
        rows = [self.starts[number] + part for number, plan in asked for part in plan.parts]
        features = self.model.network.decode(self.latents[rows], asked[0][1].queries)
        return features.split([len(plan.parts) for _, plan in asked])


@dataclass
class _Running:
    """A signal that is being rebuilt: what it asks first is known, nothing is answered yet."""

    number: int
    reconstruction: Reconstruction
    plan: QueryPlan


def _same_points(a: QueryPlan, b: QueryPlan) -> bool:
    return a.queries.shape[0] == 1 and torch.equal(a.queries, b.queries)


def open_archive(data: bytes, model: Model) -> Opened:
    """Check an archive and decode its symbols.

    Raises ContainerError if it is damaged or declares too much, ModelError if it needs another
    model.
    """
    archive = unpack_archive(data, model.default)
    if archive.card is not None and archive.card != model.own:
        raise ModelError("the file says itself how it is decoded: it needs no model")
    if archive.model_id != model.id:
        raise ModelError(
            f"the file needs model {archive.model_id.hex()}, this is model {model.id.hex()}"
        )
    if archive.quality >= model.num_qualities:
        raise ContainerError(f"quality level {archive.quality} is not in this model")
    for number, item in enumerate(archive.items):
        size = _size(model, item.meta, number)
        if size > LIMIT or item.parts > max(size, 1):
            raise ContainerError(
                f"item {number}: declares {size} points in {item.parts} parts, beyond the limit of "
                f"{LIMIT} points"
            )
    rows = sum(item.parts for item in archive.items)
    bottleneck = model.network.bottleneck(archive.quality)
    symbols = bottleneck.decompress(archive.payload, rows)
    starts = np.cumsum([0, *(item.parts for item in archive.items)])[:-1]
    permutation = bottleneck.permutation([item.parts for item in archive.items])
    latents = permutation.invert(bottleneck.dequantize(symbols))
    return Opened(model, archive, latents, tuple(int(s) for s in starts))


def _size(model: Model, meta: Mapping[str, Any], number: int) -> int:
    try:
        return prod(int(n) for n in model.modality.shape(meta))
    except SignalError as error:
        raise ContainerError(f"item {number}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ContainerError(f"item {number}: its description does not make sense") from error


def decompress(
    data: bytes,
    model: Model,
    output: Path,
    view: View | None = None,
    overwrite: bool = False,
    report: Report | None = None,
) -> list[Path]:
    """Decode an archive to native files: `output` is a file for one item, a folder for many.

    Raises ContainerError and ModelError as `open_archive`, SignalError for a view that makes no
    sense, InrcError if a file exists and may not be overwritten.
    """
    opened = open_archive(data, model)
    items = opened.archive.items
    targets = [output / item.name for item in items] if len(items) > 1 else [output]
    return _write(opened, targets, [view or View()] * len(items), overwrite, report)


def _write(
    opened: Opened,
    targets: Sequence[Path],
    views: Sequence[View],
    overwrite: bool = False,
    report: Report | None = None,
) -> list[Path]:
    written = []
    signals = opened.signals(range(len(targets)), views)
    for number, (path, signal) in enumerate(zip(targets, signals, strict=True)):
        if len(targets) > 1:
            path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, overwrite) as part:
            opened.model.modality.write(signal, part)
        written.append(path)
        if report:
            report(number + 1, len(targets))
    return written


def measure(paths: Sequence[Path], data: bytes, model: Model) -> dict[str, float]:
    """Mean measures of an archive's decoded files beside their originals, in the same order."""
    modality = model.modality
    views = [modality.evaluation_view(path) for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        names = [f"{n}{modality.measurable(p)}" for n, p in enumerate(paths)]
        decoded = _write(open_archive(data, model), [Path(folder) / n for n in names], views)
        rows = [modality.measure(a, b) for a, b in zip(paths, decoded, strict=True)]
    return {key: fmean(row[key] for row in rows) for key in rows[0]}


def latents(paths: Sequence[Path], model: Model, steps: int | None = None) -> Iterator[Tensor]:
    """Unquantised latents of files, one tensor of parts x size per file."""
    for path in paths:
        signal = model.modality.split(model.modality.read(path))
        yield model.network.fit_latents(signal.queries, signal.features, signal.weights, steps)
