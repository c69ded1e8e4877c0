"""Fields: values and derivatives against the papers' formulas, written out one point at a time."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from inrc.fields import Field, GatedSiren, ShiftSiren, SineLayers, Siren, affine, sine

D, F, K, WIDTH, DEPTH, W0 = 2, 3, 5, 7, 3, 12.0
RANK, HYPER = 2, 6
SIGNALS, POINTS = 3, 4

Formula = Callable[[Siren, Tensor, Tensor], Tensor]


def random(field: Siren, seed: int) -> Siren:
    """The field in float64 with every parameter somewhere else than at its start."""
    generator = torch.Generator().manual_seed(seed)
    field = field.double()
    with torch.no_grad():
        for parameter in field.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter += 0.1 * noise
    return field


def shift() -> ShiftSiren:
    return ShiftSiren(D, F, K, WIDTH, DEPTH, W0)


def gated() -> GatedSiren:
    return GatedSiren(D, F, K, WIDTH, DEPTH, W0, RANK, HYPER)


def shifted_value(field: Siren, z: Tensor, x: Tensor) -> Tensor:
    """COIN++: sin(w0 (W h + b + beta)) in every hidden layer, beta a linear map of z."""
    assert isinstance(field, ShiftSiren)
    h = x
    for layer in range(DEPTH):
        beta = z @ field.shift[:, layer * WIDTH : (layer + 1) * WIDTH]
        h = torch.sin(W0 * (h @ field.weights[layer] + field.biases[layer] + beta))
    return h @ field.weights[DEPTH] + field.biases[DEPTH]


def gated_value(field: Siren, z: Tensor, x: Tensor) -> Tensor:
    """VC-INR: sin(w0 ((G o W) h + b)), G = 2 sigmoid(U V' / sqrt(r)), in all but first and last."""
    assert isinstance(field, GatedSiren)
    first, last = field.block[0], field.block[2]
    assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
    entered = leaky(field.enter.weight @ z + field.enter.bias)
    inside = leaky(first.weight @ entered + first.bias)
    mixed = entered + last.weight @ inside + last.bias
    factors = (field.leave.weight @ mixed + field.leave.bias).reshape(DEPTH - 1, 2, WIDTH, RANK)
    h = torch.sin(W0 * (x @ field.weights[0] + field.biases[0]))
    for layer in range(1, DEPTH):
        u, v = factors[layer - 1]
        gate = 2 / (1 + torch.exp(-(u @ v.T) / math.sqrt(RANK)))
        h = torch.sin(W0 * (h @ (gate * field.weights[layer]) + field.biases[layer]))
    return h @ field.weights[DEPTH] + field.biases[DEPTH]


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.01 * x)


CASES = [
    pytest.param(shift, shifted_value, id="shift"),
    pytest.param(gated, gated_value, id="gated"),
]


def asked(shared: bool, seed: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(SIGNALS, K, generator=generator, dtype=torch.float64)
    rows = 1 if shared else SIGNALS
    points = 2 * torch.rand(rows, POINTS, D, generator=generator, dtype=torch.float64) - 1
    return latents.requires_grad_(), points.requires_grad_()


def derivatives(values: Tensor, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """Gradients of an uneven sum of the values, so that no two of them are mixed up."""
    uneven = torch.arange(1.0, values.numel() + 1, dtype=values.dtype).sin().reshape(values.shape)
    return torch.autograd.grad((uneven * values).sum(), inputs, create_graph=True)


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "own"])
@pytest.mark.parametrize(("build", "formula"), CASES)
def test_values_and_gradients_are_those_of_the_formula(
    build: Callable[[], Siren], formula: Formula, shared: bool
) -> None:
    field = random(build(), 1)
    latents, points = asked(shared)
    inputs = [latents, points, *field.parameters()]
    values = field.condition(latents)(points)
    expected = torch.stack(
        [torch.stack([formula(field, z, x) for x in points[b % len(points)]])
         for b, z in enumerate(latents)]
    )  # fmt: skip
    assert values.shape == (SIGNALS, POINTS, F)
    torch.testing.assert_close(values, expected, rtol=1e-11, atol=1e-11)
    first, reference = derivatives(values, inputs), derivatives(expected, inputs)
    assert all(gradient.abs().max() > 1e-6 for gradient in reference)
    torch.testing.assert_close(first, reference, rtol=1e-9, atol=1e-9)
    # Second derivatives, as the outer loop takes them of the inner loop's gradient
    learned = [p for p in inputs if p is not points and p is not field.biases[-1]]
    second = derivatives(first[0], learned)
    assert all(gradient.abs().max() > 1e-6 for gradient in second)
    torch.testing.assert_close(second, derivatives(reference[0], learned), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("build", "formula"), CASES)
def test_single_precision_is_close(build: Callable[[], Siren], formula: Formula) -> None:
    field = random(build(), 1)
    latents, points = asked(shared=True)
    expected = field.condition(latents)(points)
    field = field.float()
    values = field.condition(latents.float())(points.float())
    torch.testing.assert_close(values.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("build", "formula"), CASES)
def test_shared_points_equal_expanded_points(build: Callable[[], Siren], formula: Formula) -> None:
    field = random(build(), 2)
    latents, points = asked(shared=True)
    inputs = [latents, points, *field.parameters()]
    once = field.condition(latents)(points)
    repeated = field.condition(latents)(points.expand(SIGNALS, -1, -1))
    torch.testing.assert_close(once, repeated, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        derivatives(once, inputs), derivatives(repeated, inputs), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize(("build", "formula"), CASES)
def test_without_gradients_the_values_are_the_same_and_nothing_is_overwritten(
    build: Callable[[], Siren], formula: Formula
) -> None:
    field = random(build(), 4)
    latents, points = asked(shared=True)
    expected = field.condition(latents)(points).detach()
    kept = [t.detach().clone() for t in (latents, points, *field.parameters())]
    with torch.no_grad():
        evaluate = field.condition(latents)
        once, again = evaluate(points), evaluate(points)
    torch.testing.assert_close(once, expected, rtol=0, atol=0)
    torch.testing.assert_close(again, expected, rtol=0, atol=0)
    for before, now in zip(kept, (latents, points, *field.parameters()), strict=True):
        assert torch.equal(before, now)


def test_signals_do_not_see_each_other() -> None:
    field = random(gated(), 5)
    latents, points = asked(shared=True)
    together = field.condition(latents)(points)
    (gradient,) = torch.autograd.grad(together[1].sum(), latents)
    assert gradient[1].abs().max() > 0
    assert gradient[0].abs().max() == gradient[2].abs().max() == 0


def test_a_gated_field_starts_as_the_ungated_one() -> None:
    torch.manual_seed(0)
    field = gated()
    points = 2 * torch.rand(1, POINTS, D) - 1
    latent = torch.zeros(1, K, requires_grad=True)
    values = field.condition(latent)(points)
    straight = SineLayers(tuple(field.shared_layers()))
    torch.testing.assert_close(values, straight(points), rtol=1e-5, atol=1e-6)
    # and the latent can leave the start
    assert torch.autograd.grad(values.sum(), latent)[0].abs().min() > 0


@pytest.mark.parametrize("rank", [1, 3])
def test_a_gate_moves_its_own_weight_and_its_rank_is_what_it_says(rank: int) -> None:
    field = GatedSiren(2, 3, 6, 8, 4, 30.0, rank, 16).double()
    latents = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    straight, bent = field.shared_layers(), field.condition(latents).layers
    # the first and the last layer, and all biases, are those of the network that all share
    for number in (0, len(bent) - 1):
        assert torch.equal(bent[number].weight, straight[number].weight)
    for one, other in zip(straight, bent, strict=True):
        assert torch.equal(one.bias, other.bias)
    for one, other in zip(straight[1:-1], bent[1:-1], strict=True):
        gate = other.weight / one.weight  # B H H
        assert bool((gate > 0).all()) and bool((gate < 2).all())
        logits = torch.logit(gate / 2)
        singular = torch.linalg.svdvals(logits)
        assert bool((singular[:, rank:] < 1e-8 * singular[:, :1]).all())  # no more than rank r
        assert bool((singular[:, rank - 1] > 1e-4 * singular[:, 0]).all())  # and no less
    # one number of U moves the gates of one row, and of no other
    factors = field._factors(latents[:1]).detach()
    moved = factors.clone()
    moved[0, 1, 0, 2, 0] += 0.5
    gates = []
    for each in (factors, moved):
        field._factors = lambda _, each=each: each  # type: ignore[method-assign]
        gates.append([layer.weight for layer in field.condition(latents[:1]).layers])
    for number, (before, after) in enumerate(zip(*gates, strict=True)):
        rows = (before != after).any(-1).nonzero()[:, -1].tolist()
        assert rows == ([2] if number == 2 else [])


@pytest.mark.parametrize("build", [shift, gated])
def test_the_start_follows_the_papers(build: Callable[[], Siren]) -> None:
    torch.manual_seed(0)
    field = build()
    for layer in range(DEPTH + 1):
        bound = 1 / D if layer == 0 else math.sqrt(6 / WIDTH) / W0
        for parameter in (field.weights[layer], field.biases[layer])[: 1 + (layer < DEPTH)]:
            assert 0.5 * bound < parameter.abs().max() <= bound
    assert torch.equal(field.biases[DEPTH], torch.full((F,), 0.5))
    assert field.width == WIDTH


def test_what_all_signals_share_is_computed_once() -> None:
    field = gated()
    points = torch.rand(1, POINTS, D)
    assert SineLayers(tuple(field.shared_layers())).hidden(points).shape == (1, POINTS, WIDTH)
    layers = field.condition(torch.randn(SIGNALS, K)).layers
    assert [layer.weight.shape[0] for layer in layers] == [1, SIGNALS, SIGNALS, 1]
    with Calls() as calls:
        affine(points, layers[0])
    assert calls["mm"] == 1 and calls["baddbmm"] == 0


def test_a_field_must_define_condition() -> None:
    with pytest.raises(TypeError, match="condition"):
        Field(1, 1, 1)  # type: ignore[abstract]


class Calls(TorchDispatchMode):
    """Counts the operators that are executed, those of backward passes too."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __getitem__(self, name: str) -> int:
        return self.counts[name] + self.counts[f"{name}_"]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def third_time(function: Callable[[Tensor], Tensor]) -> Calls:
    """Operators of a value, its gradient, and the gradient of that."""
    u = torch.linspace(-3, 3, 11, dtype=torch.float64, requires_grad=True)
    with Calls() as calls:
        (first,) = torch.autograd.grad(function(u * 2).square().sum(), u, create_graph=True)
        torch.autograd.grad(first.square().sum(), u)
    return calls


def test_sine_has_right_derivatives() -> None:
    u = torch.linspace(-4, 4, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(sine, u)
    assert torch.autograd.gradgradcheck(sine, u)
    (first,) = torch.autograd.grad(sine(u).sum(), u, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), u, create_graph=True)
    (third,) = torch.autograd.grad(second.sum(), u)
    torch.testing.assert_close(first, torch.cos(u))
    torch.testing.assert_close(second, -torch.sin(u))
    torch.testing.assert_close(third, -torch.cos(u))


def test_sine_is_evaluated_once_in_three_passes() -> None:
    own, plain = third_time(sine), third_time(torch.sin)
    assert (own["sin"], own["cos"]) == (1, 1)
    assert plain["sin"] + plain["cos"] > 2  # what the counter would see otherwise


def test_sine_without_gradients_needs_no_second_tensor() -> None:
    u = torch.linspace(-3, 3, 11)
    expected = torch.sin(u)
    with Calls() as calls:
        result = sine(u)
    assert result is u and torch.equal(u, expected)
    assert calls["cos"] == 0
