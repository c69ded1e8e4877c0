"""Functions on shared points beside numpy: least squares, principal components, interpolation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from inrc.adapt import GaussNewton
from inrc.basis import BasisField
from inrc.basis.residual_table import RIDGE, ResidualTable, best_columns, regression
from inrc.grid import coordinates
from inrc.methods import Basis
from inrc.model import Model
from inrc_modalities.image import Image


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def rough(points: Tensor, rows: int, channels: int = 2, seed: int = 1) -> Tensor:
    """Slow waves, whose first one moves a pattern that no wave draws, on one that never moves."""
    k = draw(points.shape[-1], 6, seed=100) * 2
    wave = torch.sin(points @ k + draw(6, seed=101))  # 1 M 6
    size = draw(rows, 6, channels, seed=seed) * (0.6 ** torch.arange(6))[:, None]
    pattern = 0.05 * draw(2, points.shape[1], channels, seed=102)
    waves = 0.5 + 0.1 * wave.expand(rows, -1, -1) @ size
    return waves + pattern[0] + size[:, 0, :1, None] * pattern[1]


def field(points: Tensor, residual_table: int, latent: int = 6) -> BasisField:
    torch.manual_seed(0)
    return BasisField(
        points.shape[-1], 2, latent, 48, 32, 20.0, field_hidden=0, residual_table=residual_table
    )


def error(one: BasisField, points: Tensor, signals: Tensor, weights: Tensor | None = None) -> float:
    """Squared error of signals in their best codes, summed."""

    def predict(z: Tensor, q: Tensor) -> Tensor:
        return one.condition(z)(q)

    z = GaussNewton(one.latent_dim, steps=2)(predict, points, signals, weights)
    left = (predict(z, points) - signals).double().square()
    return float((left if weights is None else left * weights[..., None]).sum())


def test_what_no_sine_draws_is_coded_as_principal_components_would() -> None:
    points = coordinates((16, 16))[None]
    seen, unseen = rough(points, 200), rough(points, 20, seed=2)
    plain, raised = field(points, 0), field(points, 16)
    plain.start(points, seen, None)
    raised.start(points, seen, None)
    flat = seen.flatten(1).double().numpy()
    mean = flat.mean(0)
    axes = np.linalg.svd(flat - mean, full_matrices=False)[2][:6]
    other = unseen.flatten(1).double().numpy() - mean
    best = float(((other - other @ axes.T @ axes) ** 2).sum())
    assert error(plain, points, unseen) > 20 * best  # there is something to gain
    assert error(raised, points, unseen) < 1.05 * best


def test_functions_are_as_many_as_help() -> None:
    design = torch.cat([torch.ones(60, 1), draw(60, 16)], 1)
    share = torch.rand(1, 40, generator=torch.Generator().manual_seed(3))
    table = draw(3, 40, 2, seed=4)
    noise = 0.05 * draw(60, 40, 2, seed=5)
    for columns in (0, 1, 2, 3):
        left = torch.einsum("nt,tmf->nmf", design[:, :columns], table[:columns])
        assert best_columns(left + noise, share, design) == columns
    assert best_columns(noise[:1], share, design[:1]) == 0  # nothing to judge it by
    # a part of the second half that counts for nothing says nothing
    broken = noise.clone()
    broken[30:, 7:] += 100.0
    assert best_columns(broken, torch.where(torch.arange(40) < 7, share, 0.0), design) == 0


def test_the_regression_is_least_squares() -> None:
    design, left = draw(30, 4), draw(30, 9, 2, seed=1)
    x, y = design.double().numpy(), left.double().numpy().reshape(30, -1)
    best = np.linalg.solve(x.T @ x / 30 + RIDGE * np.eye(4), x.T @ y / 30)
    table = regression(left, torch.rand(1, 9) + 0.1, design).flatten(1)
    np.testing.assert_allclose(table.numpy(), best, atol=1e-5)
    # a signal that says nothing of a point counts for nothing there
    share = torch.ones(30, 9)
    share[20:, 3] = 0.0
    hidden = torch.where(share[..., None] > 0, left, 0.0)
    mean = regression(hidden, share, torch.ones(30, 1))[0]
    expected = left[:20, 3].mean(0) / (1 + RIDGE)
    torch.testing.assert_close(mean[3], expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_places_answer_exactly_and_points_between_them_in_between(dim: int) -> None:
    places = draw(50, dim)
    values = draw(50, 3, seed=1).half().float()
    residual_table = ResidualTable(dim, 5)
    assert torch.equal(residual_table(places[None]), torch.zeros(1, 50, 5))
    residual_table.set(places, values)
    tabulated = residual_table(places.flip(0)[None].expand(2, -1, -1))
    assert tabulated.shape == (2, 50, 5)
    torch.testing.assert_close(tabulated[1, :, :3], values.flip(0), atol=1e-5, rtol=0)
    assert torch.equal(tabulated[..., 3:], torch.zeros(2, 50, 2))
    between = residual_table(draw(1, 200, dim, seed=2))[0, :, :3]
    assert bool((between >= values.amin(0) - 1e-5).all())
    assert bool((between <= values.amax(0) + 1e-5).all())
    # Shepard's formula, for one point and all of few places
    few = ResidualTable(dim, 1)
    few.set(places[:3], values[:3, :1])
    point = draw(1, 1, dim, seed=3)
    weight = 1.0 / (places[:3] - point[0]).double().square().sum(1)
    expected = float((weight * values[:3, 0]).sum() / weight.sum())
    assert float(few(point)[0, 0, 0]) == pytest.approx(expected, rel=1e-4)


def test_points_that_no_signal_tells_of_are_not_tabulated() -> None:
    points = coordinates((12, 12))[None]
    signals = rough(points, 80)
    weights = torch.ones(1, 144)
    weights[0, 50:60] = 0.0
    spoilt = torch.where(weights[..., None] > 0, signals, 1e3)
    one, clean = field(points, 8), field(points, 8)
    one.start(points, spoilt, weights)
    clean.start(points, torch.where(weights[..., None] > 0, signals, 0.0), weights)
    assert one.residual_table is not None and clean.residual_table is not None
    assert len(one.residual_table.places) == 134
    assert torch.equal(one.residual_table.values, clean.residual_table.values)


def test_there_is_none_for_points_of_each_signals_own() -> None:
    points = torch.rand(40, 60, 2, generator=torch.Generator().manual_seed(0))
    one = field(points, 8)
    one.start(points, draw(40, 60, 2), None)
    assert one.residual_table is not None and len(one.residual_table.places) == 0
    shared = coordinates((8, 8))[None]
    narrow = field(shared, 1)  # fewer functions than channels
    narrow.start(shared, rough(shared, 40), None)
    assert narrow.residual_table is not None and len(narrow.residual_table.places) == 0


def test_a_start_forgets_the_one_before() -> None:
    points = coordinates((8, 8))[None]
    one, twice = field(points, 8), field(points, 8)
    other = coordinates((9, 7))[None]
    one.start(points, rough(points, 40), None)
    frequencies = twice.frequencies.clone()
    twice.start(other, rough(other, 40), None)
    twice.frequencies.copy_(frequencies)
    twice.start(points, rough(points, 40), None)
    latent = draw(3, 6)
    torch.testing.assert_close(one.condition(latent)(points), twice.condition(latent)(points))


def test_a_model_takes_it_along(tmp_path: Path) -> None:
    method = Basis(6, [1e3], 0, 48, 32, w0=20.0, field_hidden=0, residual_table=12)
    model = Model.untrained(method, Image())
    one = model.network.field
    assert isinstance(one, BasisField) and one.residual_table is not None
    points = coordinates((8, 8))[None]
    one.residual_table.set(points[0], 0.01 * draw(64, 3))
    one.centre.view(-1, 3)[32:35] = torch.eye(3)
    for bottleneck in model.network.quality_levels:
        bottleneck.prepare()
        bottleneck.calibrate(draw(100, 6), torch.eye(6), 64)
        bottleneck.tabulate(draw(100, 6))
        bottleneck.finish()
    model.save(tmp_path / "codec.safetensors")
    back = Model.load(tmp_path / "codec.safetensors")
    latent = draw(2, 6)
    here, there = (each.network.decode(latent, points) for each in (model, back))
    assert torch.equal(here, there) and float(here.abs().max()) > 0
