"""Symbols that are searched: against all symbols that there are, and against plain rounding."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from inrc import codec
from inrc.adapt import MetaSGD, SoapFit
from inrc.cli import main
from inrc.entropy import LearnedBottleneck, UniformBottleneck
from inrc.entropy.coder import tabulate
from inrc.entropy.rounding import Rounding
from inrc.errors import UsageError
from inrc.model import Model
from tests.test_codec import images
from tests.test_codec import run as run  # the fixture


def bowl(target: Tensor, matrix: Tensor):  # type: ignore[no-untyped-def]
    """A distortion that couples the latents: |matrix (z - target)|^2."""
    return lambda z: ((z - target) @ matrix.T).square().sum(1)


def learned(weight: float = 40.0) -> LearnedBottleneck:
    bottleneck = LearnedBottleneck(2, weight, hidden=0)
    with torch.no_grad():
        bottleneck.log_step.fill_(-1.0)
    shape = np.append(2.0 ** -np.abs(np.arange(-4.0, 5.0)), 1e-4)
    bottleneck.tables = tabulate([shape, shape], [-4, -4])
    return bottleneck


def cost(bottleneck: Rounding, symbols: Tensor, lmbdas: Tensor, distort) -> Tensor:  # type: ignore[no-untyped-def]
    return bottleneck.bits(symbols) + lmbdas * distort(bottleneck.dequantize(symbols))


def test_a_search_ends_near_the_best_of_all_symbols() -> None:
    generator = torch.Generator().manual_seed(0)
    target = 0.7 * torch.randn(64, 2, generator=generator)
    # far from the identity that plain rounding takes for granted
    distort = bowl(target, torch.tensor([[1.0, 0.8], [0.0, 0.5]]))
    bottleneck = learned()
    lmbdas = torch.full((64,), bottleneck.lmbda_per_row)
    every = torch.tensor(list(itertools.product(range(-9, 10), repeat=2)), dtype=torch.int32)
    costs = torch.stack([cost(bottleneck, e.expand(64, -1), lmbdas, distort) for e in every])
    best = costs.min(0).values
    plain = cost(bottleneck, bottleneck.quantize(target), lmbdas, distort)
    searched = cost(bottleneck, bottleneck.search(target, distort, 4.0), lmbdas, distort)
    assert bool((searched >= best - 1e-4).all())  # nothing is cheaper than the cheapest
    assert bool((searched <= plain + 1e-4).all())
    lost, kept = (plain - best).mean(), (searched - best).mean()
    assert lost > 0.3
    assert kept < 0.5 * lost


def test_where_the_metric_is_right_plain_rounding_is_left_alone() -> None:
    target = torch.randn(64, 2, generator=torch.Generator().manual_seed(1))
    looks = 0

    def distort(z: Tensor) -> Tensor:
        nonlocal looks
        looks += 1
        return (z - target).square().sum(1)

    bottleneck = learned()
    assert torch.equal(bottleneck.search(target, distort), bottleneck.quantize(target))
    assert looks == 1


@pytest.mark.parametrize("bits", [3, 6])
def test_bins_are_searched_at_the_price_that_they_imply(bits: int) -> None:
    generator = torch.Generator().manual_seed(2)
    known = torch.randn(500, 8, generator=generator)
    bottleneck = UniformBottleneck(8, bits)
    bottleneck.calibrate(known, torch.eye(8), 64)
    target = known[:50]
    matrix = torch.randn(8, 8, generator=generator) / 8**0.5
    clean = 0.01
    distort = lambda z: clean + bowl(target, matrix)(z)  # noqa: E731
    start = target + 0.3 * torch.randn(
        50, 8, generator=generator
    )  # few steps end before the bottom
    lmbdas = bottleneck.lmbdas(bottleneck.analyse(start), distort)
    assert bool((lmbdas > 0).all())
    plain = cost(bottleneck, bottleneck.quantize(start), lmbdas, distort)
    before = plain
    for effort in (0.25, 1.0, 4.0):
        costs = cost(bottleneck, bottleneck.search(start, distort, effort), lmbdas, distort)
        assert bool((costs <= plain + 1e-3).all())
        assert costs.mean() < before.mean()
        before = costs
    assert distort(bottleneck.dequantize(bottleneck.search(start, distort))).mean() < 0.5 * (
        distort(bottleneck.dequantize(bottleneck.quantize(start))).mean()
    )


def test_a_row_is_searched_alone() -> None:
    generator = torch.Generator().manual_seed(3)
    target = torch.randn(6, 2, generator=generator)
    matrix = torch.tensor([[1.0, 0.8], [0.0, 0.5]])
    together = learned().search(target, bowl(target, matrix))
    for row in range(6):
        one = target[row : row + 1]
        assert torch.equal(learned().search(one, bowl(one, matrix))[0], together[row])


def test_the_price_of_the_next_symbol_is_a_difference_of_the_tables() -> None:
    bottleneck = learned()
    assert bottleneck.tables is not None
    costs = bottleneck.tables.costs
    slope = bottleneck._steepness(torch.tensor([[1.0, -2.0]]))
    # symbols start at -4: 1 is entry 5, -2 is entry 2
    expected = [(costs[0, 6] - costs[0, 4]) / 2, (costs[1, 3] - costs[1, 1]) / 2]
    assert torch.allclose(slope, torch.tensor([expected], dtype=torch.float32))


def test_effort_is_worth_its_time(run: Path) -> None:
    model = Model.load(run / "codec.safetensors")
    paths = images(run)
    number = model.num_qualities - 1
    losses = []
    for effort in (1, 5, 8):
        made = codec.compress(paths, model, number, effort=effort)
        mse = 10.0 ** (-codec.measure(paths, made.data, model)["psnr"] / 10.0)
        losses.append((len(made.data), mse))
    assert losses[1][1] < losses[0][1]
    assert losses[2][1] < losses[0][1]
    with pytest.raises(UsageError, match="effort 0"):
        codec.compress(paths, model, number, effort=0)


def test_effort_is_typed(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, model = str(images(run)[0]), str(run / "codec.safetensors")
    arguments = ["compress", image, "-m", model, "-o", str(tmp_path / "a.inrc"), "--json"]
    assert main([*arguments, "--effort", "10"]) == 2
    error = capsys.readouterr().err
    assert "--effort 10" in error and "1 (fast) to 9" in error
    assert not (tmp_path / "a.inrc").exists()
    sizes = []
    for effort in ("1", "7"):
        assert main([*arguments, "-f", "--effort", effort]) == 0
        sizes.append(json.loads(capsys.readouterr().out)["measures"]["psnr"])
    assert sizes[1] >= sizes[0]


def test_effort_is_steps_where_steps_are_what_takes_time() -> None:
    long = SoapFit(torch.zeros(3), [(3, 1)], steps=400)
    assert [long.budget(effort) for effort in (1e-4, 0.25, 1.0, 4.0)] == [1, 100, 400, 1600]
    # step sizes that were learned for three steps are no good for thirty
    assert MetaSGD(3, steps=3).budget(10.0) == 3
