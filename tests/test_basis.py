"""The continuous basis beside numpy: principal components, projections, least squares."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from inrc.adapt import GaussNewton, distortion
from inrc.basis import BasisField, closed_form, trunks
from inrc.basis.closed_form import BENDING_SHARE
from inrc.fields import Layer, affine
from inrc.grid import coordinates
from inrc.methods import Basis, metric
from inrc_modalities.image import Image

Doubles = NDArray[np.float64]


def field(
    points: Tensor, latent: int, num_frequencies: int, basis_size: int, hidden: int = 0
) -> BasisField:
    torch.manual_seed(0)
    return BasisField(points.shape[-1], 2, latent, num_frequencies, basis_size, 30.0, hidden)


def smooth(points: Tensor, rows: int, seed: int = 1) -> Tensor:
    """Signals N M 2 of falling energy: sums of slow waves."""
    generator = torch.Generator().manual_seed(seed)
    k = torch.rand(points.shape[-1], 20, generator=generator) * 6 - 3
    wave = torch.sin(points @ k + torch.rand(20, generator=generator) * 6)  # #N M 20
    size = torch.randn(rows, 20, 2, generator=generator) * (0.7 ** torch.arange(20))[:, None]
    return 0.5 + 0.1 * wave.expand(rows, -1, -1) @ size


def answers(one: BasisField, latent: Tensor, points: Tensor) -> Tensor:
    return one.condition(latent)(points)


def trunk(one: BasisField, points: Tensor) -> Doubles:
    """Phi, M H of the first row."""
    return one.trunk(points)[0].double().numpy()


def jacobian(one: BasisField, points: Tensor) -> Doubles:
    """d features / d latent of a linear field, M*C K."""
    start = answers(one, torch.zeros(1, one.latent_dim), points)
    slope = answers(one, torch.eye(one.latent_dim), points) - start
    return slope.flatten(1).double().numpy().T


def lstsq(one: BasisField, points: Tensor, signal: Tensor, weights: Tensor | None) -> Doubles:
    """The weighted least-squares latent of one signal, M C."""
    root = np.ones(signal.shape[0]) if weights is None else weights.double().sqrt().numpy()
    root = np.repeat(root, signal.shape[1])
    start = answers(one, torch.zeros(1, one.latent_dim), points).flatten().double().numpy()
    target = signal.flatten().double().numpy() - start
    matrix = jacobian(one, points)
    return np.linalg.lstsq(matrix * root[:, None], target * root, rcond=None)[0]


def test_the_axes_of_a_grid_are_its_principal_components() -> None:
    points = coordinates((8, 8))[None]
    signals = smooth(points, 200)
    one = field(points, 8, num_frequencies=256, basis_size=64)
    one.start(points, signals, None)
    latents = GaussNewton(8, steps=1)(lambda z, q: answers(one, z, q), points, signals)
    ours = float((answers(one, latents, points) - signals).double().square().sum())
    flat = signals.flatten(1).double().numpy()
    deviation = np.linalg.svd(flat - flat.mean(0), compute_uv=False)
    best = float((deviation[8:] ** 2).sum())
    assert best * (1 - 1e-3) <= ours <= best * 1.01


@pytest.mark.parametrize("weighted", [False, True])
def test_the_trunk_is_orthonormal_over_the_training_points(weighted: bool) -> None:
    points = coordinates((20, 20))[None]
    weights = torch.rand(1, 400, generator=torch.Generator().manual_seed(0)) if weighted else None
    # few sines: directions near `MIN_ENERGY` are shorter than 1 on purpose
    one = field(points, 8, num_frequencies=12, basis_size=12)
    one.start(points, smooth(points, 100), weights)
    share = torch.ones(400) / 400 if weights is None else weights[0] / weights.sum()
    phi = trunk(one, points)
    assert np.abs(phi.T @ (share.double().numpy()[:, None] * phi) - np.eye(12)).max() < 1e-3


def test_masked_signals_are_projected_by_weighted_least_squares() -> None:
    points = coordinates((16, 16))[None]
    signals = smooth(points, 40)
    generator = torch.Generator().manual_seed(2)
    weights = (torch.rand(40, 256, generator=generator) > 0.3) * (
        0.5 + torch.rand(40, 256, generator=generator)
    )
    spoilt = torch.where(weights[..., None] > 0, signals, torch.tensor(1e3))
    one = field(points, 4, num_frequencies=16, basis_size=16)
    one.start(points, spoilt, weights)
    # the mean of the projections is what the field answers at a latent of zero
    phi = trunk(one, points)
    mean = np.zeros((16, 2))
    for row, weight in zip(signals, weights, strict=True):
        root = weight.double().sqrt().numpy()[:, None]
        mean += np.linalg.lstsq(phi * root, row.double().numpy() * root, rcond=None)[0] / 40
    values = answers(one, torch.zeros(1, 4), points)[0].double().numpy()
    assert np.abs(values - phi @ mean).max() < 1e-3 * np.abs(phi @ mean).max()


def test_as_many_sines_as_observations_do_not_run_wild_between_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coarse, fine = coordinates((12, 12))[None], coordinates((24, 24))[None]
    rough = torch.rand(200, 144, 2, generator=torch.Generator().manual_seed(0))
    excess = []
    for share in (0.0, BENDING_SHARE):
        monkeypatch.setattr(closed_form, "BENDING_SHARE", share)
        one = field(coarse, 100, num_frequencies=144, basis_size=144)
        one.start(coarse, rough, None)
        latents = torch.eye(100)
        here, between = (answers(one, latents, q).square().mean().sqrt() for q in (coarse, fine))
        excess.append(float(between / here))
    assert excess[1] < 0.5 * excess[0] and excess[1] < 3.0


@pytest.mark.parametrize("weighted", [False, True])
def test_the_first_step_is_weighted_least_squares(weighted: bool) -> None:
    points = coordinates((16, 16))[None]
    one = field(points, 6, num_frequencies=32, basis_size=24)
    one.start(points, smooth(points, 60), None)
    signals = smooth(points, 3, seed=5)
    generator = torch.Generator().manual_seed(3)
    weights = torch.rand(1, 256, generator=generator) if weighted else None
    latents = GaussNewton(6, steps=1)(lambda z, q: answers(one, z, q), points, signals, weights)
    for z, signal in zip(latents.double().numpy(), signals, strict=True):
        best = lstsq(one, points, signal, None if weights is None else weights[0])
        assert np.abs(z - best).max() < 1e-3 * np.abs(best).max()


def test_weights_of_each_row_lead_to_its_own_least_squares() -> None:
    points = coordinates((16, 16))[None]
    one = field(points, 6, num_frequencies=32, basis_size=24)
    one.start(points, smooth(points, 60), None)
    signals = smooth(points, 3, seed=5)
    weights = (torch.rand(3, 256, generator=torch.Generator().manual_seed(4)) > 0.3).float()
    few, many = (
        GaussNewton(6, steps=steps)(lambda z, q: answers(one, z, q), points, signals, weights)
        for steps in (4, 60)
    )
    for row in range(3):
        best = lstsq(one, points, signals[row], weights[row])
        assert np.abs(many[row].double().numpy() - best).max() < 1e-3 * np.abs(best).max()
        assert np.abs(few[row].double().numpy() - best).max() < 0.1 * np.abs(best).max()


def test_more_steps_fit_a_bent_field_better() -> None:
    points = coordinates((12, 12))[None]
    one = field(points, 6, num_frequencies=32, basis_size=24, hidden=16)
    one.start(points, smooth(points, 60), None)
    assert one.residual is not None
    for parameter in one.residual.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(0))
    signals = smooth(points, 8, seed=7)
    losses = []
    for steps in (1, 2, 4, 8, 60):
        z = GaussNewton(6, steps)(lambda z, q: answers(one, z, q), points, signals)
        losses.append(float(distortion(answers(one, z, points), signals, None).detach().mean()))
    assert losses == sorted(losses, reverse=True)
    best = losses[-1]
    assert best < 0.999 * losses[0], "not bent"
    assert losses[2] - best < 0.5 * (losses[0] - best)


def test_scattered_points_of_each_signal() -> None:
    generator = torch.Generator().manual_seed(8)
    points = torch.rand(60, 150, 2, generator=generator) * 2 - 1
    signals = smooth(points, 60)
    one = field(points, 10, num_frequencies=48, basis_size=32)
    one.start(points, signals, None)
    z = GaussNewton(10, steps=8)(lambda z, q: answers(one, z, q), points, signals)
    error = distortion(answers(one, z, points), signals, None).detach().mean()
    spread = (signals - signals.mean((0, 1))).square().mean()
    assert error < 0.1 * spread


def test_rows_that_share_an_input_equal_a_loop() -> None:
    torch.manual_seed(0)
    h, weight, bias = torch.randn(1, 7, 5), torch.randn(4, 5, 3), torch.randn(4, 1, 3)
    product = affine(h, Layer(weight, bias))
    every = torch.stack([h[0] @ w + b for w, b in zip(weight, bias, strict=True)])
    assert product.shape == (4, 7, 3)
    torch.testing.assert_close(product, every)


def test_the_matrix_is_kept_for_a_grid_and_found_anew_for_another_field() -> None:
    torch.manual_seed(0)
    trunk = torch.randn(50, 6)
    queries = torch.rand(1, 50, 2)
    features = torch.randn(3, 50, 1)

    def predict(latent: Tensor, asked: Tensor) -> Tensor:
        return (latent @ trunk[: asked.shape[1]].T)[:, :, None]

    adapter = GaussNewton(6).eval()
    looks = 0
    inverse = adapter._inverse

    def counted(*args: Any) -> Tensor:
        nonlocal looks
        looks += 1
        return inverse(*args)

    adapter._inverse = counted  # type: ignore[method-assign]
    first = adapter(predict, queries, features)
    assert torch.equal(adapter(predict, queries.clone(), features), first) and looks == 1
    for other in (torch.ones(1, 50).index_fill(1, torch.arange(5), 0.0), torch.ones(1, 50) * 2):
        adapter(predict, queries, features, other)
    assert looks == 3  # other weights
    trunk += 1.0  # another field, as after loading one
    again = adapter(predict, queries, features)
    best = torch.linalg.lstsq(trunk.double(), features[:, :, 0].double().T).solution.T
    torch.testing.assert_close(again.double(), best, atol=1e-4, rtol=1e-3)
    assert looks == 4
    adapter.train()
    adapter(predict, queries, features)
    adapter(predict, queries, features)
    assert looks == 6  # a field that learns changes under its feet


def test_the_metric_of_a_linear_field_is_that_of_all_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = coordinates((20, 20))[None]
    weights = torch.rand(1, 400, generator=torch.Generator().manual_seed(1))
    method = Basis(latent_dim=6, num_frequencies=32, basis_size=24, w0=30.0, field_hidden=0)
    observer = Image(channels=3)
    net = method.build(2, 3, observer)
    signals = smooth(points, 60)[..., [0, 1, 0]]
    assert isinstance(net.field, BasisField) and net.field.linear
    net.field.start(points, signals, weights)
    # enough for every point of one signal
    monkeypatch.setattr(metric, "MAX_PROBE_POINTS", 2 * 6 * 400)
    latents = torch.randn(50, 6, generator=torch.Generator().manual_seed(2))
    found = metric.latent_metric(net, latents, points, weights).double().numpy()
    slope = answers(net.field, torch.eye(6), points) - answers(
        net.field, torch.zeros(1, 6), points
    )  # K M C
    share = (weights / weights.sum()).double().numpy()[0]
    j = slope.double().numpy()
    exact = np.einsum("kmc,m,lmc->kl", j, share, j) / 3
    assert np.abs(found - exact).max() < 1e-3 * np.abs(exact).max()
    assert not Basis(latent_dim=6, field_hidden=8).build(2, 3, observer).field.linear


def test_trunks_are_cached_for_chunks_and_evaluated_again_for_other_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = coordinates((12, 12))[None]
    one, other = (field(points, 4, num_frequencies=24, basis_size=12) for _ in range(2))
    one.start(points, smooth(points, 40), None)
    other.start(points, smooth(points, 40, seed=9), None)
    parts = [points[:, :70], points[:, 70:]]
    first = [one.trunk(part) for part in parts]
    assert all(one.trunk(q.clone()) is cached for q, cached in zip(parts, first, strict=True))
    monkeypatch.setattr(trunks, "MAX_CACHED_VALUES", 70 * 12)  # room for one of them
    one.trunk(points)
    assert one.trunk(parts[0]) is not first[0]
    one.load_state_dict(other.state_dict())
    latent = torch.ones(1, 4)
    for part in parts:
        assert torch.equal(answers(one, latent, part), answers(other, latent, part))
