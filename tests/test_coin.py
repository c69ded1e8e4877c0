"""COIN: the network, and the run that finds its weights."""

import math

import numpy as np
import pytest
import torch

from inrc.adapt import SoapFit, distortion
from inrc.adapt.soap import MOMENTS, REFRESH_INTERVAL
from inrc.entropy import Float16Bottleneck
from inrc.errors import UsageError
from inrc.fields import PerSignalSiren
from inrc.fields.own import parameters
from inrc.methods import COIN


@pytest.mark.parametrize(
    ("depth", "width", "count", "rate"),
    [
        (5, 20, 1803, 0.0734),
        (5, 30, 3903, 0.1588),
        (10, 28, 7479, 0.3043),
        (10, 40, 15003, 0.6105),
        (13, 49, 29697, 1.2083),
    ],
)
def test_kodak_architectures_have_their_published_sizes(
    depth: int, width: int, count: int, rate: float
) -> None:
    siren = PerSignalSiren(2, 3, width, depth)
    assert siren.latent_dim == parameters(2, 3, width, depth) == sum(siren.tensors) == count
    # as the paper counts them: two bytes a weight of a 768 by 512 image
    halves = Float16Bottleneck(count)
    payload = halves.compress(halves.quantize(siren.random(0)[None]))
    assert 8 * len(payload) / (768 * 512) == pytest.approx(rate, abs=1e-4)
    # the size that is chosen for the floats of such a rate is nearly the paper's
    chosen = COIN(losses=[0.05]).rated(6.6 * count, 0, 2, 3)
    assert chosen.depth == depth
    assert width - 1 <= chosen.width <= width


def test_a_size_for_a_rate_fits_and_grows_with_it() -> None:
    before = 0
    for bits in np.geomspace(200, 1e7, 40):
        method = COIN(losses=[0.0125]).rated(float(bits), 0, 2, 3)
        size = parameters(2, 3, method.width, method.depth)
        assert 0.5 * before <= size <= bits / 7.6
        assert parameters(2, 3, method.width + 1, method.depth) > bits / 7.6
        before = size
    with pytest.raises(UsageError, match="the smallest network takes more"):
        COIN().rated(20.0, None, 2, 3)


def test_the_field_is_the_network_of_the_paper() -> None:
    siren = PerSignalSiren(2, 3, width=7, depth=3, w0=30.0)
    torch.manual_seed(1)
    latent = torch.randn(4, siren.latent_dim) * 0.05
    points = torch.rand(1, 50, 2) * 2 - 1
    values = siren.condition(latent)(points)
    for row, flat in enumerate(latent.double().numpy()):
        h, at = points[0].double().numpy(), 0
        for layer, (rows, columns) in enumerate([(2, 7), (7, 7), (7, 7), (7, 3)]):
            matrix = flat[at : at + rows * columns].reshape(rows, columns)
            bias = flat[at + rows * columns : at + (rows + 1) * columns]
            at += (rows + 1) * columns
            h = h @ matrix + bias
            h = h if layer == 3 else np.sin(30.0 * h)
        np.testing.assert_allclose(values[row].numpy(), h, atol=2e-5)


def test_the_start_is_a_sirens() -> None:
    siren = PerSignalSiren(3, 1, width=64, depth=2, w0=30.0)
    pieces = siren.random(0).split(siren.tensors)
    for piece, bound in zip(pieces[:4], [1 / 3, 1 / 3, *[math.sqrt(6 / 64) / 30] * 2], strict=True):
        assert 0.9 * bound < float(piece.abs().max()) <= bound
    assert float(pieces[-1]) == 0.5
    assert torch.equal(siren.random(0), siren.random(0))
    assert not torch.equal(siren.random(0), siren.random(1))
    slow = siren.random(0, spread=0.5)
    assert torch.equal(slow[: 3 * 64], 0.5 * pieces[0])
    assert torch.equal(slow[3 * 64 :], siren.random(0)[3 * 64 :])


def problem(rows: int = 3, side: int = 12) -> tuple[PerSignalSiren, torch.Tensor, torch.Tensor]:
    """Smooth pictures, all of them different."""
    axis = torch.linspace(-1, 1, side)
    queries = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(1, -1, 2)
    waves = [torch.sin(queries @ torch.tensor([[n + 1.0], [2.0 - n]])) for n in range(rows)]
    return PerSignalSiren(2, 1, width=8, depth=2), queries, 0.5 + 0.4 * torch.cat(waves)


def test_rows_are_fitted_together_as_one_by_one() -> None:
    siren, queries, features = problem()

    def predict(z: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return siren.condition(z)(q)

    run = SoapFit(siren.random(0), siren.matrices, steps=60, lr=5e-3, subset=50)
    together = run(predict, queries, features, chunk=64)
    for row in range(3):
        alone = run(predict, queries, features[row : row + 1], chunk=64)
        torch.testing.assert_close(alone, together[row : row + 1], rtol=0, atol=2e-4)


def test_a_long_run_begins_as_adam() -> None:
    siren, queries, features = problem(rows=1)

    def predict(z: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return siren.condition(z)(q)

    start, steps = siren.random(0), REFRESH_INTERVAL - 1  # the basis turns at the next one
    run = SoapFit(start, siren.matrices, steps=steps, lr=2e-4, subset=None, constant=True)
    theirs = start.clone()[None].requires_grad_()
    adam = torch.optim.Adam([theirs], lr=2e-4, betas=MOMENTS)
    for _ in range(steps):
        adam.zero_grad()
        distortion(predict(theirs, queries), features, None).sum().backward()
        adam.step()
    fitted = run(predict, queries, features)
    assert float((fitted - start).abs().max()) > 1e-3
    torch.testing.assert_close(fitted, theirs.detach(), rtol=0, atol=2e-5)


def test_a_long_run_keeps_the_best() -> None:
    siren, queries, features = problem(rows=1)

    def predict(z: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return siren.condition(z)(q)

    start = siren.random(0)
    # a rate at which nothing can be learned, and one that ends in infinity, keep the start at least
    first = distortion(predict(start[None], queries), features, None)
    for rate in (3.0, 1e30):
        run = SoapFit(start, siren.matrices, steps=30, lr=rate, subset=40)
        wild = run(predict, queries, features)
        assert torch.isfinite(wild).all()
        assert (distortion(predict(wild, queries), features, None) <= first + 1e-7).all()


def test_a_run_without_progress_ends_early() -> None:
    siren, queries, features = problem(rows=2)
    seen: list[int] = []
    run = SoapFit(siren.random(0), siren.matrices, steps=400, lr=0.0, subset=None, patience=3)
    run.watch = lambda done, total: seen.append(done)
    run(lambda z, q: siren.condition(z)(q), queries, features)
    assert 200 < max(seen) < 240
