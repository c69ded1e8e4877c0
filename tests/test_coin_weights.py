"""Weights of a network of its own in few bits: steps, tables, streams."""

import hashlib
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from coin_files import picture
from hypothesis import given, settings
from hypothesis import strategies as st

import inrc
from inrc.adapt import Distortion, Problem
from inrc.entropy import FixedPoint, Float16Bottleneck, HalfOrFixedPoint
from inrc.entropy.family import EXPONENTS, NUM_WIDTHS, SHAPES, Family, power
from inrc.entropy.stream import Reader, Writer
from inrc.errors import ContainerError
from inrc.methods import COIN
from inrc.model import Model
from inrc_modalities.image import Image

GOLDEN = "de7dea5e829801ffeb2c953a54b60aed"
"""Digest of all tables: files were written with them, so it never changes."""


def fitted(tmp: Path, steps: int = 250) -> tuple[Model, torch.Tensor, Callable[..., torch.Tensor]]:
    picture(tmp / "a.png")
    model = Model.untrained(COIN(width=12, depth=3, steps=steps, subset=512, spread=1.0), Image())
    signal = model.modality.read(tmp / "a.png")
    latent = model.network.fit_latents(signal.queries, signal.features, None)

    problem = Problem(model.network.predict, signal.queries, signal.features, None, 300)

    def distort(z: torch.Tensor) -> torch.Tensor:
        return Distortion.apply(z, problem)

    return model, latent, distort


def test_quantisation_costs_what_it_may(tmp_path: Path) -> None:
    model, latent, distort = fitted(tmp_path)
    clean = distort(latent)
    assert float(-10 * torch.log10(clean)) > 20.0  # there is something to lose

    def loss(
        bottleneck: Float16Bottleneck | FixedPoint | HalfOrFixedPoint, symbols: torch.Tensor
    ) -> float:
        return float(10 * torch.log10(distort(bottleneck.dequantize(symbols)) / clean))

    halves = Float16Bottleneck(latent.shape[1])
    assert loss(halves, halves.quantize(latent)) < 0.1
    assert torch.equal(halves.dequantize(halves.quantize(latent)), latent.half().float())
    sizes = []
    for number, most in enumerate([1.0, 0.5, 0.2, 0.05]):
        bottleneck = model.network.bottleneck(number)
        symbols = bottleneck.search(latent, distort)
        assert 0.1 * most < loss(bottleneck, symbols) <= most
        sizes.append(len(bottleneck.compress(symbols)))
    last = model.network.bottleneck(4)
    symbols = last.search(latent, distort)
    assert loss(last, symbols) < max(0.0025, loss(halves, halves.quantize(latent)) + 1e-3)
    assert (
        sizes == sorted(sizes)
        and sizes[-1] < len(last.compress(symbols)) <= 2 * latent.shape[1] + 1
    )
    assert sizes[3] < 0.6 * 2 * latent.shape[1]  # floats have two bytes a weight


def test_steps_follow_the_curvature() -> None:
    """For a quadratic distortion the closed form is known: every weight has the same share."""
    torch.manual_seed(0)
    tensors, rows = [300, 60, 240], 2
    scale = torch.cat(
        [torch.full((n,), s) for n, s in zip(tensors, [1.0, 16.0, 0.25], strict=True)]
    )
    latent = torch.randn(rows, 600) * 0.3

    def distort(z: torch.Tensor) -> torch.Tensor:
        return 1e-2 + (scale * (z - latent).square()).sum(1)

    bottleneck = FixedPoint(tensors, loss=0.1)
    symbols = bottleneck.search(latent, distort)
    steps = torch.exp2(-symbols[:, :3] / 4)
    rise = 1e-2 * (10 ** (0.1 / 10) - 1)
    expected = (12 * rise / 600 / torch.tensor([1.0, 16.0, 0.25])).sqrt()
    assert (torch.log2(steps / expected).abs() < 0.3).all()
    lost = 10 * torch.log10(distort(bottleneck.dequantize(symbols)) / 1e-2)
    assert ((lost > 0.06) & (lost <= 0.1)).all()


def test_tables_are_made_of_integers_and_never_change() -> None:
    tables = Family().tables
    digest = hashlib.sha256(tables.counts.astype("<i4").tobytes() + tables.lengths.tobytes())
    assert digest.hexdigest()[:32] == GOLDEN
    program = """
import hashlib, os
from inrc.entropy.family import Family
t = Family().tables
print(hashlib.sha256(t.counts.astype("<i4").tobytes() + t.lengths.tobytes()).hexdigest()[:32])
"""
    environment = {"OMP_NUM_THREADS": "2", "PATH": "/usr/bin:/bin"}
    there = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True,
        env=environment, cwd=Path(inrc.__file__).parents[1],
    )  # fmt: skip
    assert there.stdout.strip() == GOLDEN


def test_tables_are_the_shapes_they_are_said_to_be() -> None:
    assert [power(x << 32) for x in (0, 1, 5)] == [2**64, 2**63, 2**59]
    for x in (0.3, 1.75, 7.123):
        assert power(round(x * 2**32)) / 2**64 == pytest.approx(2.0**-x, rel=1e-8)
    tables = Family().tables
    for shape in range(SHAPES):
        for width in (2, 9, 20, NUM_WIDTHS - 1):
            t = shape * NUM_WIDTHS + width
            counts = tables.counts[t, : tables.lengths[t] - 1]
            k = np.arange(len(counts)) + tables.offsets[t]
            assert (counts == counts[::-1]).all()
            p = EXPONENTS[shape]
            density = 2.0 ** -((2.0 ** (4 - width / 2)) ** (p / 2) * np.abs(k) ** p)
            np.testing.assert_allclose(
                (counts - 1) / 2**16, density / density.sum(), atol=(len(k) + 3) / 2**16
            )


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_any_numbers_survive_the_stream(data: st.DataObject) -> None:
    reach = data.draw(st.sampled_from([0, 1, 5, 300, 10**5, 2**31 - 1]))
    blocks = [
        np.array(data.draw(st.lists(st.integers(-reach, reach), max_size=30)), np.int64)
        for _ in range(3)
    ]
    writer = Writer()
    for block in blocks:
        writer.block(block)
    reader = Reader(writer.bytes())
    for block in blocks:
        assert np.array_equal(reader.block(len(block)), block)


@pytest.mark.parametrize("spread", [0.4, 3.0, 40.0, 5000.0])
def test_gaussians_cost_their_entropy(spread: float) -> None:
    numbers = np.round(np.random.default_rng(0).normal(0, spread, 20_000)).astype(np.int64)
    writer = Writer()
    writer.block(numbers)
    _, counts = np.unique(numbers, return_counts=True)
    own = float(-(counts * np.log2(counts / len(numbers))).sum())  # what the numbers say themselves
    closed = len(numbers) * 0.5 * math.log2(2 * math.pi * math.e * spread**2)
    entropy = closed if spread > 1 else own
    assert entropy * 0.99 < 8 * len(writer.bytes()) < entropy * 1.02 + 16


def test_payloads_that_nobody_wrote_are_refused() -> None:
    bottleneck = FixedPoint([6, 3], 0.1)
    generator = np.random.default_rng(0)
    for _ in range(300):
        noise = generator.bytes(int(generator.integers(0, 30)))
        for each in (bottleneck, Float16Bottleneck(9), HalfOrFixedPoint([6, 3])):
            try:
                weights = each.dequantize(each.decompress(noise, 2))
            except ContainerError:
                continue
            assert torch.isfinite(weights).all()
    with pytest.raises(ContainerError, match="not finite"):
        Float16Bottleneck(1).decompress(b"\x00\x7c", 1)
    with pytest.raises(ContainerError, match="networks of"):
        bottleneck.decompress(b"", 1 << 28)


def test_floats_are_taken_where_they_are_smaller() -> None:
    """Weights that are powers of two, of all sizes, suit floats and nothing else."""
    torch.manual_seed(0)
    latent = torch.exp2(torch.randint(-12, 5, (2, 64)).float())
    latent[1] = torch.randn(64)

    def distort(z: torch.Tensor) -> torch.Tensor:
        return 1e-9 + ((z - latent) / latent).square().mean(1)

    bottleneck = HalfOrFixedPoint([32, 32])
    symbols = bottleneck.search(latent, distort)
    assert int(symbols[0, 0]) == 1
    back = bottleneck.decompress(bottleneck.compress(symbols), 2)
    torch.testing.assert_close(
        bottleneck.dequantize(back), bottleneck.dequantize(symbols), rtol=0, atol=0
    )
    assert torch.equal(bottleneck.dequantize(back)[:1], latent[:1])
    assert float(bottleneck.bits(symbols).sum()) >= 8 * len(bottleneck.compress(symbols)) - 16
