"""Shapes: regions, grids and their limits."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sdf_files import QUICK, SMALL, ball, decoded, opened, ring, stored

from inrc.errors import SignalError
from inrc.signal import View
from inrc_modalities.sdf import SDF, explore, kinds
from inrc_modalities.sdf.mesh import SUFFIXES, Mesh, load
from inrc_modalities.sdf.place import Place


def test_regions_are_in_units_of_the_file(tmp_path: Path) -> None:
    path = stored(ball(2.0), tmp_path / "a.ply")
    whole, asked = decoded(SMALL, path, View())
    view = View(region=(("x", 5.0, 99.0), ("z", 0.0, 1.5)))
    part, fewer = decoded(SMALL, path, view)
    SMALL.write(part, tmp_path / "b.ply")
    region = opened(tmp_path / "b.ply")
    assert region.is_watertight and sum(fewer) < sum(asked)
    cell = 2 / 24 * Place.of(part.meta).unit
    assert np.allclose(region.bounds, [[5.0, -5.0, 0.0], [7.0, -1.0, 1.5]], atol=1.2 * cell)
    assert region.bounds[0, 0] > 5.0 - cell and region.bounds[1, 2] < 1.5 + cell
    fine, _ = decoded(SMALL, path, View(scale=2.0, region=(("x", 5.0, 99.0),)))
    assert fine.shape[0] > 1.5 * whole.shape[0]


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (View(region=(("x", 50.0, 60.0),)), "nothing between"),
        (View(region=(("x", 6.0, 5.0),)), "empty"),
        (View(region=(("t", 5.0, 6.0),)), "unknown or repeated axis 't'"),
        (View(region=(("x", 2.7, 2.8), ("y", -1.0, -0.7))), "no surface"),
        (View(at=Path("other.ply")), "no grid of another file"),
        (View(scale=1e9), "cells along an axis"),
        (View(scale=0.01), "cells along an axis"),
    ],
)
def test_impossible_views_are_explained(tmp_path: Path, view: View, reason: str) -> None:
    path = stored(ball(), tmp_path / "a.ply")
    with pytest.raises(SignalError, match=reason):
        decoded(SMALL, path, view)


def test_a_grid_too_large_to_ask_at_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    meta = {"place": [0, 0, 0, 0]}
    with pytest.raises(SignalError, match="use rebuild"):
        SMALL.plan_queries(meta, View(scale=20.0))
    monkeypatch.setattr(explore, "MAX_POINTS", 1 << 15)
    reconstruction = SDF(resolution=64).reconstruct(meta, View())
    plan = next(reconstruction)
    with pytest.raises(SignalError, match="surface nearly everywhere"):
        while True:
            plan = reconstruction.send(torch.full((1, plan.queries.shape[1], 1), 0.5))


def test_points_are_not_written_as_a_surface(tmp_path: Path) -> None:
    signal = SMALL.read(stored(ball(), tmp_path / "a.ply"))
    with pytest.raises(SignalError, match="rebuild it first"):
        SMALL.write(signal, tmp_path / "b.ply")


@pytest.mark.parametrize(
    "wrong",
    [
        {"samples": 0},
        {"near": 1.5},
        {"resolution": 2},
        {"truncation": 0.0},
        {"field": "colour"},
        {"emphasis": 0.5},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SignalError, match="give"):
        SDF(**wrong)  # type: ignore[arg-type]


def test_kinds_bound_what_they_can() -> None:
    distance, occupancy = kinds.kind("distance", 0.2), kinds.kind("occupancy", 0.2)
    d = np.linspace(-0.19, 0.19, 39)
    assert np.allclose(distance.value(distance.feature(d)), d)
    assert ((occupancy.value(occupancy.feature(d)) < 0) == (d < 0)).all()
    assert 0.1 <= distance.reach(0.1) < 0.2 and distance.reach(0.15) == math.inf
    assert occupancy.reach(0.1) == 0.0


@QUICK
@given(
    suffix=st.sampled_from(SUFFIXES),
    size=st.floats(1e-3, 1e4),
    at=st.tuples(*[st.floats(-1e3, 1e3)] * 3),
)
def test_files_keep_their_mesh(
    tmp_path: Path, suffix: str, size: float, at: tuple[float, float, float]
) -> None:
    mesh = ring()
    mesh = Mesh(mesh.vertices * size + at, mesh.faces)
    path = stored(mesh, tmp_path / f"a{suffix}")
    loaded = load(path)
    # STL and OBJ have single precision or 8 digits; a vertex may meet another
    quantum = 1e-7 * np.abs(mesh.vertices).max() + 2e-8
    if quantum < 1e-4 * size:
        assert len(loaded.vertices) == len(mesh.vertices) and len(loaded.faces) == len(mesh.faces)
        assert abs(loaded.volume - mesh.volume) <= 50 * quantum * size**2
    other = opened(path)
    assert np.allclose(other.bounds, mesh.bounds, atol=2 * quantum)
