"""Checks of one file on its way to a signal, to parts, and back to a file."""

import math
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inrc.container import Archive, Item, pack_archive, unpack_archive
from inrc.errors import SignalError
from inrc.signal import Modality, Signal, View
from inrc.testing.requirements import (
    check_plain,
    close,
    equal,
    require,
    require_one_line,
    require_same,
)

MIN_FEATURE, MAX_FEATURE = -1.0, 2.0
"""Features lie near [0, 1], where a field starts."""

_ROWS, _QUERIES, _CHUNK = 2, 7, 3  # small, and different, so that axes cannot be mixed up


Truth = Callable[[Path], Callable[[Tensor], Tensor]]
"""From a native file to the exact features P M C of its field at queries #P M Q."""


def check_file(
    modality: Modality,
    path: Path,
    folder: Path,
    tolerance: float = 1e-6,
    truth: Truth | None = None,
) -> None:
    """Check one file on its way to a signal, to parts, and back to a file."""
    folder.mkdir(parents=True)
    signal = modality.read(path)
    require_same(signal, modality.read(path), f"{path.name}: read twice", 0.0)
    check_signal(modality, signal)
    pieces = modality.split(signal)
    require(equal(pieces.meta, signal.meta), "split keeps meta")
    written = folder / path.name
    if truth is None:
        plan = modality.plan_queries(signal.meta, View())
        whole = tuple(range(pieces.parts))
        require(plan.parts == whole, f"ask(meta, View()).parts is 0..{pieces.parts - 1}")
        require(
            close(plan.queries, pieces.queries, 0.0), "ask(meta, View()).queries are those of split"
        )
        joined = reconstructed(modality, signal.meta, lambda queries: pieces.features)
        require_same(
            signal, joined, f"{path.name}: split and reconstructed", 1e-6
        )  # a few float32 roundings
        modality.write(joined, written)
        require_same(signal, modality.read(written), f"{path.name}: written and read", tolerance)
    else:
        modality.write(reconstructed(modality, signal.meta, truth(path)), written)
    check_measure(modality.measure(path, written), path.name)
    check_views(modality, signal, pieces.parts)
    check_points(modality, pieces)


def reconstructed(
    modality: Modality, meta: Mapping[str, Any], answer: Callable[[Tensor], Tensor]
) -> Signal:
    """What `reconstruct` makes of the answers of a field."""
    reconstruction = modality.reconstruct(meta, View())
    plan = next(reconstruction)
    try:
        while True:
            features = answer(plan.queries)
            expected = (len(plan.parts), plan.queries.shape[1], modality.feature_dim)
            require(features.shape == expected, f"features asked for are P M C = {expected}")
            plan = reconstruction.send(features)
    except StopIteration as end:
        assert isinstance(end.value, Signal)
        return end.value


def check_signal(modality: Modality, signal: Signal) -> None:
    """Check a signal that was read: sizes, range, and a meta that survives an archive."""
    p, m, c = signal.features.shape
    require(
        c == modality.feature_dim, f"features have feature_dim = {modality.feature_dim}, not {c}"
    )
    require(signal.queries.shape[-1] == modality.query_dim, "queries have query_dim columns")
    require(
        prod(signal.shape) == p * m, f"prod(shape {signal.shape}) is parts {p} x observations {m}"
    )
    for name, tensor in (("queries", signal.queries), ("features", signal.features)):
        require(tensor.dtype == torch.float32, f"{name} are float32, not {tensor.dtype}")
        require(
            bool(tensor.isfinite().all()), f"{name} are finite; give unknown ones a weight of 0"
        )
    low, high = signal.features.min().item(), signal.features.max().item()
    require(
        MIN_FEATURE <= low and high <= MAX_FEATURE,
        f"features lie near [0, 1], not in [{low:.3g}, {high:.3g}]",
    )
    if signal.weights is not None:
        known = signal.weights
        require(known.shape[0] in (1, p) and known.shape[1] == m, "weights are #P M")
        require(bool((known >= 0).all()) and bool((known > 0).any()), "weights are >= 0, not all 0")
    check_plain(signal.meta, "meta")
    for default in ({}, dict(signal.meta), {"other": [1, 2], **signal.meta}):
        item = Item("", default, 1)
        data = pack_archive(Archive(b"model.", 0, (Item("a", signal.meta, p),), b""), item)
        require(
            equal(unpack_archive(data, item).items[0].meta, signal.meta),
            "meta survives the container",
        )
    shape = modality.shape(signal.meta)
    require(shape == signal.shape, f"shape(meta) is the signal's {signal.shape}, not {shape}")
    count = modality.num_units(shape)
    require(type(count) is int and count > 0, f"num_units(shape) is a positive int, not {count!r}")


def check_measure(measures: Mapping[str, float], where: str) -> None:
    """Check the measures of a file that was only written again."""
    require("psnr" in measures, f"{where}: measure gives psnr")
    for name, value in measures.items():
        require(isinstance(value, float) and not math.isnan(value), f"{where}: {name} is a number")
    require(measures["psnr"] > 30, f"{where}: psnr is high for a file that was only written again")


def check_views(modality: Modality, signal: Signal, parts: int) -> None:
    """Check that a view gives a consistent signal, or is refused in one line."""
    for view in (View(scale=2.0), View(scale=0.5)):
        try:
            plan = modality.plan_queries(signal.meta, view)
        except SignalError as refusal:
            require_one_line(refusal, str(view))
            continue
        require(set(plan.parts) <= set(range(parts)), f"{view}: parts are those that were encoded")
        require(
            plan.queries.shape[0] in (1, len(plan.parts)), f"{view}: queries for each part, or one"
        )
        features = torch.full(
            (len(plan.parts), plan.queries.shape[1], modality.feature_dim), 0.5, dtype=torch.float32
        )
        seen = modality.join(features, signal.meta, view)
        require(modality.shape(seen.meta) == seen.shape, f"{view}: shape(meta) of what is joined")
        require(bool(torch.isfinite(seen.features).all()), f"{view}: what is joined is finite")
    for view in (View(region=(("no such axis", 0.0, 1.0),)), View(scale=0.0), View(scale=math.nan)):
        try:
            modality.plan_queries(signal.meta, view)
        except SignalError as refusal:
            require_one_line(refusal, str(view))
        else:
            require(False, f"{view} is refused with a SignalError")


def check_points(modality: Modality, pieces: Signal) -> None:
    """Check `points` and `observe`: shapes, gradients, and that chunks agree with the whole."""
    queries = pieces.queries[:, :_QUERIES].expand(-1, -1, -1)
    queries = queries[:1].expand(_ROWS, -1, -1)  # B M Q
    points = modality.points(queries)  # B M S D
    rows, asked = queries.shape[:2]
    require(
        points.dim() == 4
        and points.shape[:2] == (rows, asked)
        and points.shape[3] == modality.point_dim,
        f"points are B M S D, not {tuple(points.shape)}",
    )
    require(bool(points.isfinite().all()), "points are finite")
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(*points.shape[:3], modality.value_dim, generator=generator)  # B M S F
    values.requires_grad_()
    seen = modality.observe(values, queries)
    expected = (rows, asked, modality.feature_dim)
    require(seen.shape == expected, f"observe gives B M C = {expected}, not {tuple(seen.shape)}")
    (gradient,) = torch.autograd.grad(seen.sum(), values)
    require(bool(gradient.isfinite().all()), "the gradient of observe is finite")
    require(bool((gradient != 0).any()), "observe passes a gradient on")
    cut = queries[:, :_CHUNK]
    require(
        close(modality.points(cut), points[:, :_CHUNK], 1e-6), "points of some are those of all"
    )
    some = modality.observe(values[:, :_CHUNK], cut)
    require(close(some, seen[:, :_CHUNK], 1e-6), "observe of some queries is that of all")
