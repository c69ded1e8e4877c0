"""MSCN's gates, sparse fields and the coding of few numbers among many; Functa's latents."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from small_runs import fitted

from inrc.adapt import MetaSGD
from inrc.cli import main
from inrc.entropy import SparseBottleneck
from inrc.fields import SineLayers, SparseSiren, SparseWeightSiren
from inrc.fields.sparse import hard_concrete, open_share
from inrc.grid import coordinates
from inrc.methods import MSCN, Functa
from inrc.module import Compressor
from inrc_modalities.image import ImageDataModule


@pytest.mark.parametrize("log_alpha", [-3.0, -1.0, 0.0, 1.5, 4.0])
def test_sampled_gates_are_open_as_often_as_the_closed_form_says(log_alpha: float) -> None:
    torch.manual_seed(0)
    logit = torch.full((200_000,), log_alpha)
    gates = hard_concrete(logit, torch.rand_like(logit))
    p = open_share(logit[:1]).item()
    assert gates.min() >= 0 and gates.max() <= 1
    assert (gates > 0).float().mean().item() == pytest.approx(p, abs=4 * math.sqrt(0.25 / 200_000))


def test_the_price_is_of_the_gates_that_are_expected_to_be_open() -> None:
    field = SparseSiren(2, 3, width=4, depth=2, w0=30.0, price=0.5)
    latent = torch.randn(3, field.latent_dim)
    expected = 0.5 * open_share(latent[:, 8:]).mean(1)
    torch.testing.assert_close(field.penalty(latent), expected)


@pytest.mark.parametrize("kind", [SparseSiren, SparseWeightSiren])
def test_shut_gates_leave_the_shared_network(kind: type[SparseSiren]) -> None:
    torch.manual_seed(0)
    field = kind(2, 3, width=6, depth=3, w0=30.0, price=0.0).eval()
    points = coordinates((5, 5))[None]
    latent = torch.randn(2, field.latent_dim)
    latent[:, field.changes :] = -20.0
    plain = SineLayers(tuple(field.shared_layers()))(points)
    torch.testing.assert_close(field.condition(latent)(points), plain.expand(2, -1, -1))


def test_an_open_gate_moves_one_weight_and_nothing_else() -> None:
    torch.manual_seed(0)
    field = SparseWeightSiren(2, 1, width=3, depth=2, w0=10.0, price=0.0).eval()
    points = coordinates((4, 4))[None]
    latent = torch.zeros(1, field.latent_dim)
    latent[0, field.changes :] = -20.0
    number = 2 * 3 + 3 + 4  # the fifth weight of the second layer
    latent[0, number], latent[0, field.changes + number] = 0.25, 20.0
    changed = field.condition(latent)(points)
    with torch.no_grad():
        field.weights[1].view(-1)[4] += 0.25
    torch.testing.assert_close(changed, SineLayers(tuple(field.shared_layers()))(points))


def test_the_inner_loop_is_plain_descent_on_values_and_gates() -> None:
    torch.manual_seed(0)
    field = SparseSiren(2, 1, width=5, depth=2, w0=10.0, price=0.3).double().eval()
    adapter = MetaSGD(20, steps=3, lr=0.05, penalty=field.penalty).double()
    points, target = coordinates((4, 4))[None].double(), torch.rand(2, 16, 1).double()
    with torch.no_grad():
        adapter.start.copy_(torch.randn(20).double() * 0.3)

    def predict(z: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return field.condition(z)(q)

    expected = adapter.start.detach().expand(2, -1).clone()
    for _ in range(3):
        at = expected.clone().requires_grad_()
        m, a = at[:, :10], at[:, 10:]
        gate = (torch.sigmoid(a) * 1.2 - 0.1).clamp(0, 1)
        h, at_unit = points.expand(2, -1, -1), 0
        for layer in range(2):
            shift = (m * gate)[:, at_unit : at_unit + 5][:, None]
            h = torch.sin(10.0 * (h @ field.weights[layer] + field.biases[layer] + shift))
            at_unit += 5
        y = h @ field.weights[2] + field.biases[2]
        loss = ((y - target) ** 2).mean((1, 2)).sum()
        p = torch.sigmoid(a - 2 / 3 * math.log(0.1 / 1.1))
        loss = loss + (0.3 * p.mean(1)).sum()
        expected = (expected - adapter.lrs.detach() * torch.autograd.grad(loss, at)[0]).detach()
    for graph in (False, True):
        latent = adapter(predict, points, target, create_graph=graph)
        torch.testing.assert_close(latent.detach(), expected, rtol=1e-9, atol=1e-12)


def calibrated(keep: int = 5) -> tuple[SparseBottleneck, torch.Tensor]:
    torch.manual_seed(1)
    values = torch.randn(300, 40) * torch.linspace(2.0, 0.1, 40)
    latents = torch.cat([values, torch.full_like(values, 3.0)], 1)
    bottleneck = SparseBottleneck(80, keep)
    bottleneck.calibrate(latents, torch.zeros(0, 0), 64)
    bottleneck.tabulate(latents)
    return bottleneck, latents


def test_no_more_than_k_numbers_are_kept_and_they_come_back() -> None:
    bottleneck, latents = calibrated()
    symbols = bottleneck.quantize(latents)
    assert ((symbols != 0).sum(1) <= 5).all() and (symbols != 0).sum() > 4.5 * 300
    payload = bottleneck.compress(symbols)
    assert torch.equal(bottleneck.decompress(payload, 300), symbols)
    back = bottleneck.dequantize(symbols)[:, :40]
    kept = symbols != 0
    gate = 1.0  # log alpha of 3: clipped to 1
    inside = kept & (symbols.abs() < bottleneck.levels // 2)
    error = (back - gate * latents[:, :40])[inside].abs()
    assert error.max() <= bottleneck.step * 0.5001
    assert (back[~kept] == 0).all()


def test_the_mask_is_counted_and_cheaper_where_it_is_predictable() -> None:
    bottleneck, latents = calibrated()
    symbols = bottleneck.quantize(latents)
    bits = bottleneck.bits(symbols)
    assert 8 * len(bottleneck.compress(symbols)) == pytest.approx(
        bits.sum().item(), rel=0.01, abs=64
    )
    none = bottleneck.bits(torch.zeros(1, 40, dtype=torch.int32)).item()
    open_ = (symbols != 0).float().mean(0).numpy()
    shared = -np.log2(1 - (open_ * 300 + 5 / 40) / 301).sum()
    assert none == pytest.approx(shared, rel=0.02)
    assert none > 1.0  # saying that nothing is open is no gift
    entropy = -(open_ * np.log2(np.maximum(open_, 1e-9)))
    entropy -= (1 - open_) * np.log2(np.maximum(1 - open_, 1e-9))
    assert entropy.sum() < math.log2(math.comb(40, 5))


def test_kept_numbers_make_up_for_those_left_out() -> None:
    bottleneck, latents = calibrated(keep=3)
    torch.manual_seed(2)
    matrix, start = torch.randn(40, 60), latents[:8].clone()
    target = start[:, :40] @ matrix

    def distort(z: torch.Tensor) -> torch.Tensor:
        return (z[:, :40] @ matrix - target).square().mean(1)

    plain = distort(bottleneck.dequantize(bottleneck.quantize(start)))
    symbols = bottleneck.search(start, distort)
    assert ((symbols != 0).sum(1) <= 3).all()
    assert distort(bottleneck.dequantize(symbols)).mean() < 0.98 * plain.mean()


@pytest.mark.parametrize("method", [
    MSCN(width=8, depth=3, keep=[4, 12]),
    MSCN(width=6, depth=2, keep=[6], structured=False),
    Functa(8, width=8, depth=2, bottleneck_hidden=8, lambdas=[1e3]),
])  # fmt: skip
def test_trained_to_files_and_latents(
    method: MSCN | Functa, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ImageDataModule(
        patch=32, batch_size=4, sample_folder=tmp_path / "sample", sample_count=3
    )
    module = Compressor(method, data.modality, represent=6, compress=2, observations=256)
    model, image = fitted(module, data, tmp_path, val_batches=1), data.val_paths[0]
    assert main(["compress", str(image), "-m", str(model), "-o", str(tmp_path / "x.inrc")]) == 0
    assert main(["verify", str(tmp_path / "x.inrc"), "-m", str(model)]) == 0
    words = ["encode", str(image), "-m", str(model), "--latents"]
    assert main([*words, str(tmp_path / "z.npz")]) == 0
    with np.load(tmp_path / "z.npz") as saved:
        assert saved["latents"].shape == (4, module.network.field.latent_dim)
        assert saved["owner"].tolist() == [0] * 4 and saved["names"].tolist() == [str(image)]
    assert main([*words, str(tmp_path / "z.npz")]) == 1  # exists already
    assert main([*words, str(tmp_path / "z.txt")]) == 2
