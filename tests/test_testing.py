"""Checks of the contract: a correct toy passes, and every way to break a rule is noticed."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from inrc import grid
from inrc.errors import SignalError
from inrc.metrics import psnr
from inrc.signal import CONTRACT, Modality, QueryPlan, Signal, View
from inrc.testing import check_modality


class Tide(Modality):
    """Water levels of a harbour in whole centimetres: a `.npy` of int16, whole or in patches."""

    name, suffixes, unit = "tide", (".npy",), "level"
    query_dim = point_dim = value_dim = feature_dim = 1

    def __init__(self, patch: int | None = None) -> None:
        self.patch = patch

    def settings(self) -> dict[str, Any]:
        return {"patch": self.patch}

    def read(self, path: Path) -> Signal:
        try:
            with path.open("rb") as file:
                levels = np.lib.format.read_array(file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise SignalError(f"{path}: no .npy file of levels ({type(error).__name__})") from error
        if levels.dtype != np.int16 or levels.ndim != 1 or not levels.size:
            raise SignalError(f"{path}: wants one row of int16 levels")
        meta = {"length": len(levels), "low": int(levels.min()), "high": int(levels.max())}
        span = max(meta["high"] - meta["low"], 1)
        features = (torch.from_numpy(levels.astype(np.float32)) - meta["low"]) / span
        shape = (len(levels),)
        return Signal(grid.coordinates(shape)[None], features[None, :, None], shape, meta)

    def write(self, signal: Signal, path: Path) -> None:
        if path.suffix != ".npy":
            raise SignalError(f"{path}: levels are written as .npy only")
        span = max(signal.meta["high"] - signal.meta["low"], 1)
        levels = signal.features.reshape(-1).double().numpy() * span + signal.meta["low"]
        np.save(path, np.rint(levels).astype(np.int16))

    def shape(self, meta: Mapping[str, Any]) -> tuple[int, ...]:
        return (meta["length"],)

    def plan_queries(self, meta: Mapping[str, Any], view: View) -> QueryPlan:
        if view.region or view.at:
            raise SignalError("levels have no regions")
        if view.scale is not None and not 0 < view.scale < 1000:
            raise SignalError(f"cannot scale levels by {view.scale}")
        length = self.length(meta, view)
        if self.patch is None:
            return QueryPlan(grid.coordinates((length,))[None], (0,))
        if view.scale is not None:
            raise SignalError("levels in patches cannot be scaled")
        parts = grid.counts((length,), (self.patch,))[0]
        return QueryPlan(grid.coordinates((self.patch,))[None], tuple(range(parts)))

    def length(self, meta: Mapping[str, Any], view: View) -> int:
        return max(round(meta["length"] * (view.scale or 1)), 1)

    def split(self, signal: Signal) -> Signal:
        if self.patch is None:
            return signal
        parts = grid.split(signal.features[0], (self.patch,))
        return replace(signal, queries=grid.coordinates((self.patch,))[None], features=parts)

    def join(self, features: Tensor, meta: Mapping[str, Any], view: View) -> Signal:
        shape = (self.length(meta, view),)
        if self.patch is not None:
            features = grid.join(features, shape, (self.patch,))[None]
        meta = {**meta, "length": shape[0]}
        return Signal(grid.coordinates(shape)[None], features, shape, meta)

    def measure(self, original: Path, decoded: Path) -> dict[str, float]:
        one, two = (np.load(path).astype(np.float64) for path in (original, decoded))
        return {"psnr": psnr(one, two, max(float(np.ptp(one)), 1.0))}

    def sample(self, folder: Path, seed: int, count: int) -> list[Path]:
        paths = [folder / f"harbour{i}.npy" for i in range(count)]
        for i, path in enumerate(paths):
            chance = np.random.default_rng([seed, i])
            hours = np.arange(90) + chance.uniform(0, 12)
            np.save(path, (200 * np.sin(hours * math.tau / 12.4)).astype(np.int16))
        return paths


def check(modality: Modality, folder: Path) -> None:
    (folder / "in").mkdir()
    check_modality(modality, modality.sample(folder / "in", 5, 2), folder / "checked")


@pytest.mark.parametrize("patch", [None, 30, 16])
def test_a_sound_modality_passes(tmp_path: Path, patch: int | None) -> None:
    check(Tide(patch), tmp_path)


def breaking(change: Callable[[Signal], Signal]) -> Callable[[Tide, Path], Signal]:
    return lambda self, path: change(Tide.read(self, path))


def chance() -> float:
    return float(torch.rand(()))


def silent_write(self: Tide, signal: Signal, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3, np.int16))


def lossy_write(self: Tide, signal: Signal, path: Path) -> None:
    Tide.write(self, signal.answer(signal.features**1.1), path)


def trusting_read(self: Tide, path: Path) -> Signal:
    try:
        return Tide.read(self, path)
    except SignalError as error:
        raise ValueError(str(error)) from error


def long_winded_read(self: Tide, path: Path) -> Signal:
    try:
        return Tide.read(self, path)
    except SignalError as error:
        raise SignalError(f"{error}\nand more") from error


def nameless_read(self: Tide, path: Path) -> Signal:
    try:
        return Tide.read(self, path)
    except SignalError:
        raise SignalError("cannot be read") from None


def generous_read(self: Tide, path: Path) -> Signal:
    try:
        return Tide.read(self, path)
    except SignalError:
        return Signal(torch.zeros(1, 2, 1), torch.zeros(1, 2, 1), (2,), {"length": 2})


def littering_read(self: Tide, path: Path) -> Signal:
    path.with_name("litter").write_text("read was here")
    return Tide.read(self, path)


def seedless_sample(self: Tide, folder: Path, seed: int, count: int) -> list[Path]:
    return Tide.sample(self, folder, 0, count)


def restless_sample(self: Tide, folder: Path, seed: int, count: int) -> list[Path]:
    return Tide.sample(self, folder, sum(folder.name.encode()), count)


@pytest.mark.parametrize(
    ("says", "parts"),
    [
        ("contract is 1 to", {"contract": CONTRACT + 1}),
        ("'.' and lower case", {"suffixes": (".NPY",)}),
        ("words", {"unit": ""}),
        ("settings.. come back", {"settings": lambda self: {"patch": 1 + len(str(self.patch))}}),
        ("settings.. holds plain", {"settings": lambda self: {"patch": {1, 2}}}),
        ("value_dim is a positive int", {"value_dim": 0}),
        ("2 paths", {"sample": lambda self, folder, seed, count: []}),
        ("same seed", {"sample": restless_sample}),
        ("another seed", {"sample": seedless_sample}),
        ("same seed", {"read": breaking(lambda s: s.answer(s.features * chance()))}),
        ("feature_dim = 2", {"feature_dim": 2}),
        ("query_dim", {"query_dim": 2}),
        ("float32", {"read": breaking(lambda s: s.answer(s.features.double()))}),
        ("near .0, 1.", {"read": breaking(lambda s: s.answer(s.features * 100))}),
        ("prod.shape", {"read": breaking(lambda s: replace(s, shape=(7,)))}),
        ("plain values", {"read": breaking(lambda s: replace(s, meta={**s.meta, "x": {1}}))}),
        ("shape.meta. is", {"shape": lambda self, meta: (meta["length"] + 1,)}),
        ("num_units.shape", {"num_units": lambda self, shape: 0.5}),
        ("split keeps", {"split": lambda self, s: replace(s, meta={**s.meta, "low": 0.0})}),
        (
            "parts is 0..0",
            {"plan_queries": lambda self, m, v: replace(Tide.plan_queries(self, m, v), parts=(1,))},
        ),
        (
            "queries are those of split",
            {
                "plan_queries": lambda self, m, v: QueryPlan(
                    Tide.plan_queries(self, m, v).queries * 0.5, (0,)
                )
            },
        ),
        (
            "split and reconstructed: meta",
            {"join": lambda self, f, m, v: Tide.join(self, f, {**m, "more": 1}, v)},
        ),
        (
            "split and reconstructed: features",
            {"join": lambda self, f, m, v: Tide.join(self, f * 0.99, m, v)},
        ),
        ("written and read: shape", {"write": silent_write}),
        ("written and read: features", {"write": lossy_write}),
        ("psnr", {"measure": lambda self, one, two: {"rmse": 0.0}}),
        ("psnr is high", {"measure": lambda self, one, two: {"psnr": 3.0}}),
        ("is a number", {"measure": lambda self, one, two: {"psnr": math.nan}}),
        (
            "no such axis",
            {"plan_queries": lambda self, m, v: Tide.plan_queries(self, m, replace(v, region=()))},
        ),
        ("points are B M S D", {"points": lambda self, queries: queries}),
        ("points are finite", {"points": lambda self, queries: queries.unsqueeze(-2) * math.inf}),
        ("some are those of all", {"points": lambda self, q: (q - q.mean(1, True)).unsqueeze(-2)}),
        ("observe gives", {"observe": lambda self, values, queries: values}),
        ("passes a gradient", {"observe": lambda self, v, q: v.squeeze(-2) * 0}),
        ("observe of some", {"observe": lambda self, v, q: v.squeeze(-2) / v.shape[1]}),
        ("raises SignalError, not ValueError", {"read": trusting_read}),
        ("is one line", {"read": long_winded_read}),
        ("names it", {"read": nameless_read}),
        ("missing file is refused", {"read": generous_read}),
        ("writes nothing", {"read": littering_read}),
    ],
)
def test_every_way_to_break_it_is_noticed(tmp_path: Path, says: str, parts: dict[str, Any]) -> None:
    broken = type("Broken", (Tide,), parts)
    with pytest.raises(AssertionError, match=f"contract: .*{says}"):
        check(broken(), tmp_path)


def test_an_unknown_suffix_must_be_refused(tmp_path: Path) -> None:
    class Eager(Tide):
        def write(self, signal: Signal, path: Path) -> None:
            super().write(signal, path.with_suffix(".npy"))

    with pytest.raises(AssertionError, match="unknown suffix is refused"):
        check(Eager(), tmp_path)
