"""The law for one file: on its way to a signal, to parts, and back to a file."""

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
from inrc.testing.law import check_plain, close, equal, law, one_line, same

LOW, HIGH = -1.0, 2.0
"""How far from [0, 1] features may lie: a field begins near it."""

_ROWS, _QUERIES, _CHUNK = 2, 7, 3  # few enough to be quick, and no two axes as long


Truth = Callable[[Path], Callable[[Tensor], Tensor]]
"""From a native file: what a perfect field of it answers at queries #P M Q, as features P M C."""


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
    same(signal, modality.read(path), f"{path.name}: read twice", 0.0)
    check_signal(modality, signal)
    pieces = modality.split(signal)
    law(equal(pieces.meta, signal.meta), "split keeps meta")
    written = folder / path.name
    if truth is None:
        plan = modality.plan_queries(signal.meta, View())
        whole = tuple(range(pieces.parts))
        law(plan.parts == whole, f"ask(meta, View()).parts is 0..{pieces.parts - 1}")
        law(
            close(plan.queries, pieces.queries, 0.0), "ask(meta, View()).queries are those of split"
        )
        joined = rebuilt(modality, signal.meta, lambda queries: pieces.features)
        same(signal, joined, f"{path.name}: split and rebuilt", 1e-6)  # a few float32 roundings
        modality.write(joined, written)
        same(signal, modality.read(written), f"{path.name}: written and read", tolerance)
    else:
        modality.write(rebuilt(modality, signal.meta, truth(path)), written)
    check_measure(modality.measure(path, written), path.name)
    check_views(modality, signal, pieces.parts)
    check_points(modality, pieces)


def rebuilt(
    modality: Modality, meta: Mapping[str, Any], answer: Callable[[Tensor], Tensor]
) -> Signal:
    """What `reconstruct` makes of the answers of a field."""
    reconstruction = modality.reconstruct(meta, View())
    plan = next(reconstruction)
    try:
        while True:
            features = answer(plan.queries)
            expected = (len(plan.parts), plan.queries.shape[1], modality.feature_dim)
            law(features.shape == expected, f"features asked for are P M C = {expected}")
            plan = reconstruction.send(features)
    except StopIteration as end:
        assert isinstance(end.value, Signal)
        return end.value


def check_signal(modality: Modality, signal: Signal) -> None:
    """Check what `read` made: sizes, range, and a meta that survives an archive."""
    p, m, c = signal.features.shape
    law(c == modality.feature_dim, f"features have feature_dim = {modality.feature_dim}, not {c}")
    law(signal.queries.shape[-1] == modality.query_dim, "queries have query_dim columns")
    law(prod(signal.shape) == p * m, f"prod(shape {signal.shape}) is parts {p} x observations {m}")
    for name, tensor in (("queries", signal.queries), ("features", signal.features)):
        law(tensor.dtype == torch.float32, f"{name} are float32, not {tensor.dtype}")
        law(bool(tensor.isfinite().all()), f"{name} are finite; give unknown ones a weight of 0")
    low, high = signal.features.min().item(), signal.features.max().item()
    law(LOW <= low and high <= HIGH, f"features lie near [0, 1], not in [{low:.3g}, {high:.3g}]")
    if signal.weights is not None:
        known = signal.weights
        law(known.shape[0] in (1, p) and known.shape[1] == m, "weights are #P M")
        law(bool((known >= 0).all()) and bool((known > 0).any()), "weights are >= 0, not all 0")
    check_plain(signal.meta, "meta")
    for default in ({}, dict(signal.meta), {"other": [1, 2], **signal.meta}):
        item = Item("", default, 1)
        data = pack_archive(Archive(b"model.", 0, (Item("a", signal.meta, p),), b""), item)
        law(
            equal(unpack_archive(data, item).items[0].meta, signal.meta),
            "meta survives the container",
        )
    shape = modality.shape(signal.meta)
    law(shape == signal.shape, f"shape(meta) is the signal's {signal.shape}, not {shape}")
    count = modality.num_units(shape)
    law(type(count) is int and count > 0, f"count(shape) is a positive int, not {count!r}")


def check_measure(measures: Mapping[str, float], where: str) -> None:
    """Check the measures of a file that only its own rounding has changed."""
    law("psnr" in measures, f"{where}: measure gives psnr")
    for name, value in measures.items():
        law(isinstance(value, float) and not math.isnan(value), f"{where}: {name} is a number")
    law(measures["psnr"] > 30, f"{where}: psnr is high for a file that was only written again")


def check_views(modality: Modality, signal: Signal, parts: int) -> None:
    """Check that a view gives a signal that fits together, or a clear refusal."""
    for view in (View(scale=2.0), View(scale=0.5)):
        try:
            plan = modality.plan_queries(signal.meta, view)
        except SignalError as refusal:
            one_line(refusal, str(view))
            continue
        law(set(plan.parts) <= set(range(parts)), f"{view}: parts are those that were encoded")
        law(plan.queries.shape[0] in (1, len(plan.parts)), f"{view}: queries for each part, or one")
        features = torch.full(
            (len(plan.parts), plan.queries.shape[1], modality.feature_dim), 0.5, dtype=torch.float32
        )
        seen = modality.join(features, signal.meta, view)
        law(modality.shape(seen.meta) == seen.shape, f"{view}: shape(meta) of what is joined")
        law(bool(torch.isfinite(seen.features).all()), f"{view}: what is joined is finite")
    for view in (View(region=(("no such axis", 0.0, 1.0),)), View(scale=0.0), View(scale=math.nan)):
        try:
            modality.plan_queries(signal.meta, view)
        except SignalError as refusal:
            one_line(refusal, str(view))
        else:
            law(False, f"{view} is refused with a SignalError")


def check_points(modality: Modality, pieces: Signal) -> None:
    """Check `points` and `observe`: shapes, gradients, and that chunks answer as the whole."""
    queries = pieces.queries[:, :_QUERIES].expand(-1, -1, -1)
    queries = queries[:1].expand(_ROWS, -1, -1)  # B M Q
    points = modality.points(queries)  # B M S D
    rows, asked = queries.shape[:2]
    law(
        points.dim() == 4
        and points.shape[:2] == (rows, asked)
        and points.shape[3] == modality.point_dim,
        f"points are B M S D, not {tuple(points.shape)}",
    )
    law(bool(points.isfinite().all()), "points are finite")
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(*points.shape[:3], modality.value_dim, generator=generator)  # B M S F
    values.requires_grad_()
    seen = modality.observe(values, queries)
    expected = (rows, asked, modality.feature_dim)
    law(seen.shape == expected, f"observe gives B M C = {expected}, not {tuple(seen.shape)}")
    (gradient,) = torch.autograd.grad(seen.sum(), values)
    law(bool(gradient.isfinite().all()), "the gradient of observe is finite")
    law(bool((gradient != 0).any()), "observe passes a gradient on")
    cut = queries[:, :_CHUNK]
    law(close(modality.points(cut), points[:, :_CHUNK], 1e-6), "points of some are those of all")
    some = modality.observe(values[:, :_CHUNK], cut)
    law(close(some, seen[:, :_CHUNK], 1e-6), "observe of some queries is that of all")
