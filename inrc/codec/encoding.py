"""Encoding: native files to one archive."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from inrc.codec.fits import failed_fits
from inrc.container import OWN, Archive, Item, name_fault, pack_archive
from inrc.errors import InrcError, MemoryLimitError, ModelError, SignalError, UsageError
from inrc.memory import check_memory, memory_limit, out_of_memory
from inrc.model import Model
from inrc.signal import Signal

Report = Callable[[int, int], None]
"""Progress: (done, of)."""

EFFORT = 5
"""Default of 1 ... 9, each level twice the time of the one before. The knee: COIN++ on CIFAR-10
gains 0.3 dB at 4 times the time of level 1, and 0.5 dB at 13 times (level 7)."""
MAX_EFFORT = 9
MIN_BATCH_PARTS = 512
"""Parts of several files that are encoded together, at least."""
MAX_PENDING_VALUES = 1 << 27
"""Features of files that wait to be encoded together, at most: half a GiB of float32."""
PROGRESS_STEPS = 1000
"""Steps of the progress of one file."""
_COPIES = 3  # of a file's features while it is encoded: as read, as rows of a batch, decoded again


@dataclass(frozen=True)
class Compressed:
    """An archive, and what could not go into it.

    Attributes:
        data: the bytes of the `.inrc` file.
        payload: bytes of the payload in it.
        quality: quality level.
        items: what the archive holds.
        observations: number of `unit`s of all items.
        failed: files that could not be read, each with the reason.
        warnings: lines about files that were encoded, but badly.
        lossless: bytes of a lossless coding of all values; 0 unless it was asked for.
        rates: payload bits per unit of every item; empty for files that need no model.
    """

    data: bytes
    payload: int
    quality: int
    items: tuple[Item, ...]
    observations: int
    failed: list[tuple[Path, str]]
    warnings: list[str] = field(default_factory=list)
    lossless: int = 0
    rates: tuple[float, ...] = ()


def compress(
    paths: Sequence[Path],
    model: Model,
    quality: int | None = None,
    steps: int | None = None,
    report: Report | None = None,
    effort: int = EFFORT,
    max_memory: int | None = None,
    lossless: bool = False,
) -> Compressed:
    """Encode files into one archive.

    A file that cannot be read is listed in `failed` and left out.

    Args:
        paths: native files of the model's kind.
        model: the codec.
        quality: quality level, 0 the lowest; None takes the middle one.
        steps: of the search for the latents, instead of those that the effort implies.
        report: called with the progress.
        effort: time to search for the symbols, 1 to 9, twice as much for each level.
        max_memory: bytes that may be allocated; None takes a share of the free memory.
        lossless: compute what a lossless coding of the values takes (`check_growth` needs it).

    Raises:
        SignalError: no file can be read.
        UsageError: a quality level that the model does not have, an effort outside 1 to 9, or a
            file that is named twice.
        ModelError: the model's training did not end.
    """
    number = _checked(model, quality, effort)
    bottleneck = model.network.bottleneck(number)
    limit = memory_limit(max_memory)
    names = _names(paths)
    items: list[Item] = []
    units: list[int] = []
    symbols: list[Tensor] = []
    waiting: list[tuple[Path, Signal]] = []
    failed: list[tuple[Path, str]] = []
    warnings: list[str] = []
    total = 0

    def flush() -> None:
        if waiting:
            signals = [signal for _, signal in waiting]
            symbols.append(_encode(signals, model, number, steps, watch, effort))
            if model.id == OWN:
                warnings.extend(failed_fits(waiting, symbols[-1], model, number))
            waiting.clear()  # their memory is free for the next ones

    def watch(share: float) -> None:
        done = len(items) - len(waiting) + share * len(waiting)
        if report:
            report(round(PROGRESS_STEPS * done), PROGRESS_STEPS * (len(paths) - len(failed)))

    for path, name in zip(paths, names, strict=True):
        try:
            if (fault := name_fault(name)) is not None and len(paths) > 1:
                raise SignalError(f"{path}: its name {fault}; rename the file")
            signal = _read(path, model, limit)
        except InrcError as error:
            failed.append((path, str(error)))
            continue
        if waiting and not _batchable(waiting[-1][1], signal):
            flush()
        waiting.append((path, signal))
        items.append(Item(name, signal.meta, signal.parts))
        units.append(model.modality.num_units(signal.shape))
        if lossless:
            total += model.modality.lossless_size(path, signal)
        del signal  # `flush` releases the others
        pending = sum(each.features.numel() for _, each in waiting)
        parts = sum(each.parts for _, each in waiting)
        if parts >= MIN_BATCH_PARTS or pending > min(MAX_PENDING_VALUES, limit // (8 * _COPIES)):
            flush()
    flush()
    if not items:
        raise SignalError(failed[0][1] if failed else "no files to compress; name some")
    if len(items) == 1 and len(paths) == 1:
        items = [Item("", items[0].meta, items[0].parts)]
    rows = symbols[0] if len(symbols) == 1 else torch.cat(symbols)
    payload = bottleneck.compress(rows)
    data = pack_archive(Archive(model.id, number, tuple(items), payload, model.own), model.default)
    rates: tuple[float, ...] = ()
    if model.id != OWN:  # there are training files to compare with
        bits = bottleneck.bits(rows).split([item.parts for item in items])
        rates = tuple(float(row.sum()) / count for row, count in zip(bits, units, strict=True))
    return Compressed(
        data, len(payload), number, tuple(items), sum(units), failed, warnings, total, rates
    )


def latents(
    paths: Sequence[Path], model: Model, steps: int | None = None, max_memory: int | None = None
) -> Iterator[Tensor]:
    """Unquantised latents of files, one tensor of parts by size for each file.

    Raises:
        SignalError: a file that cannot be read.
        MemoryLimitError: a file that takes more than `max_memory` bytes.
    """
    for path in paths:
        signal = _read(path, model, memory_limit(max_memory))
        yield model.network.fit_latents(signal.queries, signal.features, signal.weights, steps)


def _checked(model: Model, quality: int | None, effort: int) -> int:
    """The quality level that is meant, after checking that the model can encode with it."""
    if not 1 <= effort <= MAX_EFFORT:
        raise UsageError(f"effort {effort}: give 1 (fast) to {MAX_EFFORT} (thorough)")
    number = model.num_qualities // 2 if quality is None else quality
    if not 0 <= number < model.num_qualities:
        raise UsageError(
            f"quality {number}: this model has quality levels 0 to {model.num_qualities - 1}"
        )
    if not model.network.bottleneck(number).ready:
        raise ModelError("this model has no probability tables: its training did not end")
    return number


def _read(path: Path, model: Model, limit: int) -> Signal:
    try:
        size = path.stat().st_size if path.is_file() else 0
        check_memory(size, limit, f"{path}: reading it")
        signal = model.modality.split(model.modality.read(path))
        values = signal.features.numel()
        check_memory(4 * _COPIES * values, limit, f"{path}: encoding its {values:,} values")
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise MemoryLimitError(f"{path}: not enough memory; cut the file into pieces") from error
    if signal.features.shape[2] != model.modality.feature_dim:
        raise SignalError(
            f"{path}: {signal.features.shape[2]} features, the model has "
            f"{model.modality.feature_dim}; use a model for such files"
        )
    if not bool(torch.isfinite(signal.features).all()):
        raise SignalError(f"{path}: non-finite values cannot be compressed; replace or mask them")
    return signal


def _batchable(a: Signal, b: Signal) -> bool:
    """Whether the parts of two signals can be rows of one batch that share their queries."""
    if a.weights is not None or b.weights is not None:
        return False
    return a.queries.shape[0] == 1 and torch.equal(a.queries, b.queries)


def _encode(
    signals: Sequence[Signal],
    model: Model,
    quality: int,
    steps: int | None,
    watch: Callable[[float], None],
    effort: int,
) -> Tensor:
    first = signals[0]
    features = torch.cat([signal.features for signal in signals])
    parts = [signal.parts for signal in signals]
    share = 2.0 ** (effort - EFFORT)
    return model.network.encode(
        quality, first.queries, features, first.weights, steps, watch, share, parts
    )


def _names(paths: Sequence[Path]) -> list[str]:
    """Names of the items, relative to the folder that holds them all; links are not followed.

    Raises UsageError for a file that is named twice.
    """
    if len(paths) < 2:
        return [path.name for path in paths]
    absolute = [os.path.abspath(path) for path in paths]
    seen: set[str] = set()
    for path in absolute:
        if path in seen:
            raise UsageError(f"{path}: is named twice; name every file once")
        seen.add(path)
    root = os.path.commonpath([os.path.dirname(path) for path in absolute])
    return [Path(path).relative_to(root).as_posix() for path in absolute]
