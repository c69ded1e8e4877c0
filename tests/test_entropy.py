"""Tables, the range coder and the bottlenecks, beside closed forms and CompressAI's own tables."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inrc.entropy import LearnedBottleneck, Tables, UniformBottleneck, decode, encode
from inrc.entropy.coder import TOTAL, tabulate
from inrc.entropy.covariance import shrunk_covariance
from inrc.errors import ContainerError


def latents(rows: int, size: int) -> torch.Tensor:
    torch.manual_seed(0)
    turn = torch.linalg.qr(torch.randn(size, size))[0]
    return torch.randn(rows, size) * torch.logspace(0, -2, size) @ turn + 0.3


def fitted(weight: float = 1e3, hidden: int = 16, size: int = 16) -> LearnedBottleneck:
    bottleneck = LearnedBottleneck(size, weight, hidden)
    bottleneck.prepare()
    bottleneck.calibrate(latents(4000, size), torch.eye(size) * 0.1, 1024)
    bottleneck.tabulate(latents(4000, size))
    return bottleneck


@given(
    st.lists(st.lists(st.floats(0, 1e6), min_size=2, max_size=40), min_size=1, max_size=5),
    st.data(),
)
@settings(deadline=None, max_examples=60)
def test_any_symbols_survive_any_tables(rows: list[list[float]], data: st.DataObject) -> None:
    weights = [np.array(row) + 1e-9 for row in rows]
    offsets = [data.draw(st.integers(-50, 50)) for _ in rows]
    tables = tabulate(weights, offsets)
    assert (tables.counts.sum(1) == TOTAL).all()
    shape = (data.draw(st.integers(0, 6)), len(rows))
    numbers = st.integers(-(2**31) + 1, 2**31 - 1)
    flat = [data.draw(st.one_of(st.integers(-60, 60), numbers)) for _ in range(shape[0] * shape[1])]
    symbols = np.array(flat, np.int32).reshape(shape)
    assert np.array_equal(decode(encode(symbols, tables), *shape, tables), symbols)


def test_real_bits_are_within_a_percent_of_the_cross_entropy() -> None:
    bottleneck = fitted()
    symbols = bottleneck.quantize(latents(625, 16)).numpy()  # 10^4 symbols
    assert bottleneck.tables is not None
    estimate = bottleneck.tables.bits(symbols).sum()
    real = 8 * len(encode(symbols, bottleneck.tables))
    assert estimate > 10_000
    assert abs(real - estimate) <= 0.01 * estimate
    # an estimate that nothing of ours computed: the entropy of the tables' probabilities
    counts, offsets = bottleneck.tables.counts, bottleneck.tables.offsets
    t = bottleneck.tables.chosen(symbols)
    own = -np.log2(counts[t, symbols - offsets[t]] / TOTAL).sum()
    assert abs(own - estimate) < 1e-3 * estimate


def test_learned_density_agrees_with_a_gaussian() -> None:
    """A trained factorised density costs what the entropy of quantised Gaussians is."""
    torch.manual_seed(0)
    size, step = 8, 0.25
    z = torch.randn(20_000, size)
    bottleneck = LearnedBottleneck(size, 6.0 / (step**2 * np.log(2.0)), hidden=0)
    bottleneck.prepare()
    bottleneck.calibrate(z, torch.eye(size), 1)
    assert torch.allclose(bottleneck.log_step.exp(), torch.tensor(step), rtol=1e-4)
    bottleneck.tabulate(z)
    bits = bottleneck.bits(torch.round(z / step).int()).mean().item() / size
    differential = 0.5 * np.log2(2 * np.pi * np.e) - np.log2(step)
    assert bits == pytest.approx(differential, abs=0.03)


def test_transform_is_the_klt_in_the_metric_of_the_signal() -> None:
    torch.manual_seed(0)
    root = torch.randn(6, 6)
    metric, z = root @ root.T, latents(5000, 6)
    bottleneck = LearnedBottleneck(6, 1e3, hidden=0)
    bottleneck.prepare()
    bottleneck.calibrate(z, metric, 100)
    n = (z - bottleneck.mean) @ bottleneck.forth
    covariance = n.T @ n / len(n)
    assert torch.allclose(covariance, torch.diag(covariance.diagonal()), atol=1e-4)
    # it keeps errors and signals
    distortion = ((z - z.mean(0)) @ metric * (z - z.mean(0))).sum(1)
    assert torch.allclose(n.square().sum(1), distortion, rtol=1e-3)
    assert torch.allclose(n @ bottleneck.back + bottleneck.mean, z, atol=1e-4)


def test_few_signals_say_little_of_correlations() -> None:
    torch.manual_seed(0)
    bottleneck = LearnedBottleneck(64, 1e3, hidden=0)
    bottleneck.prepare()
    deviation = torch.logspace(0, -2, 64)
    bottleneck.calibrate(torch.randn(40, 64) * deviation, torch.eye(64), 100)
    unseen = torch.randn(5000, 64) * deviation @ bottleneck.forth
    energy = unseen.square().mean(0)
    # what a wrong rotation costs in bits at high rate, beside the right one
    loss = 0.5 * (energy.log2().mean() - deviation.square().log2().mean())
    assert loss < 0.2  # the sample's own axes cost 0.64


def test_rate_distortion_rounding_beats_the_nearest_integer() -> None:
    weight, points = 1e3, 1024
    bottleneck, z = fitted(weight), latents(500, 16)
    nearest = torch.round(bottleneck.analyse(z)).int()
    chosen = bottleneck.quantize(z)

    def cost(symbols: torch.Tensor) -> float:
        mse = (bottleneck.dequantize(symbols) - z).square().sum(1) * 0.1
        return float((bottleneck.bits(symbols) / points + weight * mse).mean())

    assert cost(chosen) < cost(nearest)


def test_uniform_quantiser_is_the_formula_of_coinpp() -> None:
    z = latents(3000, 12)
    bottleneck = UniformBottleneck(12, bits=5, deviations=3.0, per_dim=False)
    bottleneck.calibrate(z, torch.eye(12), 1)
    mean, std = z.mean(), z.std(correction=0)
    lo, hi = mean - 3 * std, mean + 3 * std
    expected = torch.round((z.clamp(lo, hi) - lo) / (hi - lo) * 31)
    symbols = bottleneck.quantize(z)
    assert (symbols == expected.int()).float().mean() > 0.9999
    assert (bottleneck.dequantize(symbols) - z.clamp(lo, hi)).abs().max() <= (hi - lo) / 62 + 1e-6
    histogram = np.maximum(np.bincount(symbols.flatten(), minlength=32), 1) / symbols.numel()
    entropy = -np.log2(histogram)[symbols.numpy()].sum(1).mean()
    assert bottleneck.bits(symbols).mean().item() == pytest.approx(entropy, rel=2e-3)


def test_a_table_per_dimension_costs_less_than_one_for_all() -> None:
    z = latents(3000, 12) * torch.logspace(0, -1, 12)
    rates = []
    for per_dim in (False, True):
        bottleneck = UniformBottleneck(12, bits=5, per_dim=per_dim)
        bottleneck.calibrate(z, torch.eye(12), 1)
        error = (bottleneck.dequantize(bottleneck.quantize(z)) - z).square().mean()
        rates.append((bottleneck.bits(bottleneck.quantize(z)).mean().item(), float(error)))
    assert rates[1][1] < rates[0][1]


def test_truncated_payloads_are_refused_or_differ_but_never_crash() -> None:
    bottleneck = fitted()
    symbols = bottleneck.quantize(latents(40, 16)).numpy()
    assert bottleneck.tables is not None
    data = encode(symbols, bottleneck.tables)
    for cut in range(0, len(data) - 4, 3):
        try:
            decoded = decode(data[:cut], 40, 16, bottleneck.tables)
        except ContainerError:
            continue
        assert not np.array_equal(decoded, symbols)


def test_broken_tables_are_refused() -> None:
    with pytest.raises(ContainerError, match="2\\^16"):
        Tables(np.full((1, 2), 7, np.int32), np.array([2], np.int32), np.array([0], np.int32))


def test_a_codec_needs_the_tables_only() -> None:
    bottleneck, z = fitted(), latents(50, 16)
    before = bottleneck.quantize(z)
    bottleneck.finish()
    assert not any("density" in name for name in bottleneck.state_dict())
    other = LearnedBottleneck(16, 1e3, 16)
    other.load_state_dict(bottleneck.state_dict())
    assert torch.equal(other.quantize(z), before)
    assert torch.equal(other.dequantize(before), bottleneck.dequantize(before))


def test_correlations_are_believed_as_far_as_they_return() -> None:
    generator = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(64, 64, generator=generator, dtype=torch.float64))[0]
    deviation = torch.logspace(0, -2, 64, dtype=torch.float64)
    level = 1e-5

    def bits(rows: torch.Tensor, covariance: torch.Tensor, truth: torch.Tensor) -> float:
        """What a latent to come takes on the axes of a covariance, with tables of these rows."""
        axes = torch.linalg.eigh(covariance)[1]
        counted = (rows @ axes).square().mean(0) + level
        energy = (axes.T @ truth @ axes).diagonal() + level
        return float(0.5 * ((counted / level).log2() + energy / counted / np.log(2)).mean())

    def drawn(count: int) -> torch.Tensor:
        return torch.randn(count, 64, generator=generator, dtype=torch.float64) * deviation

    # uncorrelated, and few: all that they say of correlations is noise
    few, truth = drawn(40), torch.diag(deviation.square())
    alone, mine, whole = (
        bits(few, c, truth)
        for c in (torch.diag(few.square().mean(0)), shrunk_covariance(few, level), few.T @ few / 40)
    )
    assert mine < alone + 0.05 and alone < 0.5 * whole
    # more of them, and correlated
    more = drawn(400) @ turn.T
    truth = turn @ truth @ turn.T
    alone, mine, whole = (
        bits(more, c, truth)
        for c in (
            torch.diag(more.square().mean(0)),
            shrunk_covariance(more, level),
            more.T @ more / 400,
        )
    )
    assert mine < min(alone, whole) + 0.05 and whole < alone - 0.5
    many = drawn(600) @ turn.T
    torch.testing.assert_close(shrunk_covariance(many, level), many.T @ many / 600)


def test_a_latent_that_never_moved_costs_little() -> None:
    torch.manual_seed(0)
    z = torch.randn(256, 64) * torch.tensor([1.0] * 4 + [1e-4] * 60)
    bottleneck = LearnedBottleneck(64, 6.0 / (0.25**2 * np.log(2.0)), hidden=0)
    bottleneck.prepare()
    bottleneck.calibrate(z, torch.eye(64), 1)
    bottleneck.tabulate(z)
    bits = bottleneck.bits(bottleneck.quantize(z)).mean().item()
    four = 4 * (0.5 * np.log2(2 * np.pi * np.e) + 2)
    assert four - 1 < bits < four + 3  # 0.05 of a bit for each of the others
