"""Decoding: the symbols of an archive, and signals when they are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inrc.container import Archive, peek, unpack_archive
from inrc.errors import ContainerError, MemoryLimitError, ModelError, SignalError
from inrc.memory import check_memory, memory_limit, out_of_memory
from inrc.model import Model
from inrc.signal import QueryPlan, Reconstruction, Signal, View

MAX_OBSERVATIONS = 1 << 33
"""Observations that one item may decode to, whatever the memory."""
MIN_BATCH_PARTS = 512
"""Parts of several items that are decoded together, at least."""
MAX_PENDING_VALUES = 1 << 24
"""Features of items that are decoded together, at most: 64 MiB of float32."""
_KEY_BYTES = 128  # of memory, for a key of an item's meta and a small value
_SYMBOL_BYTES = 24  # int32 and int64 symbols, float32 latents in slots and in rows


@dataclass(frozen=True)
class Opened:
    """An archive whose symbols are decoded; its fields are evaluated when they are asked for.

    `limit` is the number of bytes that decoding an item may allocate.
    """

    model: Model
    archive: Archive
    latents: Tensor
    starts: tuple[int, ...]
    limit: int

    def signal(self, number: int, view: View) -> Signal:
        """One item as the signal to write."""
        return next(self.signals([number], [view]))

    def signals(self, numbers: Sequence[int], views: Sequence[View]) -> Iterator[Signal]:
        """Items as the signals to write; those asked at the same points are decoded together.

        Raises:
            ContainerError: the description of an item does not make sense.
            MemoryLimitError: an item takes more memory than the limit.
            SignalError: a view that does not fit the item.
        """
        waiting: list[_Running] = []
        for number, view in zip(numbers, views, strict=True):
            running = self._start(number, view)
            if waiting and not self._together(waiting, running):
                yield from self._finish(waiting)
                waiting = []
            waiting.append(running)
        yield from self._finish(waiting)

    def _start(self, number: int, view: View) -> "_Running":
        item = self.archive.items[number]
        modality = self.model.modality
        with described(number):
            needed = modality.memory(item.meta, view)
            check_memory(needed, self.limit, f"item {number}: decoding it")
            reconstruction = modality.reconstruct(item.meta, view)
            plan = self._checked(number, next(reconstruction))
        if not view and len(set(plan.parts)) != item.parts:
            raise ContainerError(
                f"item {number}: declares {item.parts} parts, has {len(set(plan.parts))}"
            )
        return _Running(number, reconstruction, plan)

    def _checked(self, number: int, plan: QueryPlan) -> QueryPlan:
        if any(not 0 <= part < self.archive.items[number].parts for part in plan.parts):
            raise ContainerError(f"item {number}: asks for parts that it does not have")
        values = len(plan.parts) * plan.queries.shape[1] * self.model.modality.feature_dim
        check_memory(4 * values, self.limit, f"item {number}: decoding it")
        return plan

    def _together(self, waiting: list["_Running"], running: "_Running") -> bool:
        last = waiting[-1].plan
        rows = sum(len(each.plan.parts) for each in waiting)
        values = rows * last.queries.shape[1] * self.model.modality.feature_dim
        return (
            rows < MIN_BATCH_PARTS
            and values < MAX_PENDING_VALUES
            and last.queries.shape[0] == 1
            and torch.equal(last.queries, running.plan.queries)
        )

    def _finish(self, waiting: list["_Running"]) -> Iterator[Signal]:
        if not waiting:
            return
        answers = self._answer([(each.number, each.plan) for each in waiting])
        for each, features in zip(waiting, answers, strict=True):
            yield self._completed(each, features)

    def _completed(self, running: "_Running", features: Tensor) -> Signal:
        with described(running.number):
            try:
                while True:
                    plan = self._checked(running.number, running.reconstruction.send(features))
                    (features,) = self._answer([(running.number, plan)])
            except StopIteration as end:
                signal: Signal = end.value
                return signal

    def _answer(self, asked: list[tuple[int, QueryPlan]]) -> tuple[Tensor, ...]:
        """Features of several items that are asked at the points of the first."""
        rows = [self.starts[number] + part for number, plan in asked for part in plan.parts]
        features = self.model.network.decode(self.latents[rows], asked[0][1].queries)
        return features.split([len(plan.parts) for _, plan in asked])


@dataclass
class _Running:
    """A signal that is being reconstructed: its first queries are known, not their answers."""

    number: int
    reconstruction: Reconstruction
    plan: QueryPlan


def open_archive(data: bytes, model: Model, max_memory: int | None = None) -> Opened:
    """Check an archive and decode its symbols.

    Args:
        data: the bytes of a `.inrc` file.
        model: the model that the file names.
        max_memory: bytes that may be allocated, here and for each item that is decoded; None takes
            a share of the free memory.

    Raises:
        ContainerError: the archive is corrupt or declares too much.
        MemoryLimitError: it takes more memory than the limit.
        ModelError: it needs another model.
    """
    limit = memory_limit(max_memory)
    seen = peek(data, 0)  # another model's metas cannot be read
    if seen.card is not None and seen.card != model.own:
        raise ModelError("the file needs no model; leave it out")
    if seen.model_id != model.id:
        raise ModelError(
            f"the file needs model {seen.model_id.hex()}, and this is {model.id.hex()}; name that "
            "one"
        )
    archive = unpack_archive(data, model.default, max(1 << 16, limit // _KEY_BYTES))
    if archive.quality >= model.num_qualities:
        raise ContainerError(f"quality {archive.quality} is not in this model")
    for number, item in enumerate(archive.items):
        size = _size(model, item.meta, number)
        if size > MAX_OBSERVATIONS or item.parts > max(size, 1):
            raise ContainerError(
                f"item {number}: declares {size} points in {item.parts} parts, beyond the limit of "
                f"{MAX_OBSERVATIONS} points"
            )
    bottleneck = model.network.bottleneck(archive.quality)
    parts = [item.parts for item in archive.items]
    rows = sum(parts)
    needed = rows * max(bottleneck.symbols, bottleneck.latent_dim) * _SYMBOL_BYTES
    check_memory(needed, limit, f"decoding {rows:,} parts")
    with reported("decoding the symbols"):
        symbols = bottleneck.decompress(archive.payload, rows)
        latents = bottleneck.permutation(parts).invert(bottleneck.dequantize(symbols))
    starts = np.cumsum([0, *parts])[:-1]
    return Opened(model, archive, latents, tuple(int(s) for s in starts), limit)


def _size(model: Model, meta: Mapping[str, Any], number: int) -> int:
    with described(number):
        try:
            return prod(int(n) for n in model.modality.shape(meta))
        except SignalError as error:
            raise ContainerError(f"item {number}: {error}") from error


@contextmanager
def described(number: int) -> Iterator[None]:
    """Turn what an item's nonsensical description causes into a ContainerError."""
    with reported(f"item {number}"):
        try:
            yield
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ContainerError(f"item {number}: its description does not make sense") from error


@contextmanager
def reported(what: str) -> Iterator[None]:
    """Turn a failed allocation into a MemoryLimitError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise MemoryLimitError(
            f"{what}: not enough memory; close other programs or use a larger machine"
        ) from error
