"""Adapters: the inner loop against plain SGD, the outer gradient against finite differences."""

import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from inrc.adapt import MetaSGD, Predict, distortion
from inrc.fields import GatedSiren, ShiftSiren, Siren

B, M, D, C, K = 3, 10, 2, 2, 4


@pytest.fixture(params=["shift", "gated"])
def field(request: pytest.FixtureRequest) -> Siren:
    """A field with every parameter somewhere else than at its start, where some have no slope."""
    torch.manual_seed(1)
    made: Siren = ShiftSiren(D, C, K, 6, 2, 3.0)
    noise = 0.05
    if request.param == "gated":  # its latent does less
        made, noise = GatedSiren(D, C, K, 6, 2, 5.0, 2, 5), 0.4
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += noise * torch.randn_like(parameter)
    return made.double()


@pytest.fixture
def queries() -> Tensor:
    return 2 * torch.rand(1, M, D, generator=torch.Generator().manual_seed(2)).double() - 1


@pytest.fixture
def features() -> Tensor:
    return torch.rand(B, M, C, generator=torch.Generator().manual_seed(3)).double()


@pytest.fixture
def weights() -> Tensor:
    return torch.rand(B, M, generator=torch.Generator().manual_seed(4)).double()


def predictor(field: Siren) -> Predict:
    return lambda latent, points: field.condition(latent)(points)


def adapter(
    steps: int = 3, context: float = 1.0, recompute: bool = False, lr: float = 0.3
) -> MetaSGD:
    """An adapter whose start and learning rates differ from latent to latent."""
    made = MetaSGD(K, steps, lr, context=context, recompute=recompute).double()
    with torch.no_grad():
        made.start += torch.linspace(-0.2, 0.3, K)
        made.lrs *= torch.linspace(0.5, 1.5, K)
    return made


def loss_of(predicted: Tensor, features: Tensor, weights: Tensor | None) -> Tensor:
    """Distortion of one row, written out."""
    total = torch.zeros((), dtype=predicted.dtype)
    mass = 0.0
    for m in range(predicted.shape[0]):
        share = 1.0 if weights is None else float(weights[m])
        total = total + share * sum((predicted[m, c] - features[m, c]) ** 2 for c in range(C)) / C
        mass += share
    return total / mass


def by_hand(
    adapter: MetaSGD,
    field: Siren,
    queries: Tensor,
    features: Tensor,
    weights: Tensor | None,
    steps: int,
    keep: int = M,
) -> Tensor:
    """phi <- phi - alpha grad, one signal at a time, over the `keep` largest errors."""
    rows = []
    for b in range(len(features)):
        z = adapter.start.detach().clone()
        x, y = queries[b % len(queries)], features[b]
        w = None if weights is None else weights[b % len(weights)]
        for _ in range(steps):
            z = z.requires_grad_()
            values = field.condition(z[None])(x[None])[0]
            score = (values - y).square().sum(1) * (1.0 if w is None else w)
            best = sorted(range(M), key=lambda m: -float(score[m].detach()))[:keep]
            loss = loss_of(values[best], y[best], None if w is None else w[best])
            (gradient,) = torch.autograd.grad(loss, z)
            z = (z - adapter.lrs * gradient).detach()
        rows.append(z)
    return torch.stack(rows)


@pytest.mark.parametrize("weighted", [None, "shared", "own"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_it_is_gradient_descent_on_every_latent(
    field: Siren,
    queries: Tensor,
    features: Tensor,
    weights: Tensor,
    weighted: str | None,
    create_graph: bool,
) -> None:
    given = {None: None, "shared": weights[:1], "own": weights}[weighted]
    sgd = adapter()
    latent = sgd(predictor(field), queries, features, given, create_graph=create_graph)
    expected = by_hand(sgd, field, queries, features, given, 3)
    assert (expected - sgd.start).abs().min() > 1e-4
    torch.testing.assert_close(latent, expected, rtol=1e-10, atol=1e-10)


def test_queries_may_be_every_signal_s_own(field: Siren, features: Tensor) -> None:
    own = 2 * torch.rand(B, M, D).double() - 1
    sgd = adapter()
    expected = by_hand(sgd, field, own, features, None, 3)
    torch.testing.assert_close(
        sgd(predictor(field), own, features), expected, rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_steps_override(field: Siren, queries: Tensor, features: Tensor, steps: int) -> None:
    sgd = adapter(steps=3)
    latent = sgd(predictor(field), queries, features, steps=steps)
    expected = by_hand(sgd, field, queries, features, None, steps)
    torch.testing.assert_close(latent, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("chunk", [1, 3, M, 4 * M])
def test_chunks_change_nothing(
    field: Siren, queries: Tensor, features: Tensor, weights: Tensor, weighted: bool, chunk: int
) -> None:
    given = weights if weighted else None
    sgd, predict = adapter(), predictor(field)
    seen: list[int] = []

    def watched(latent: Tensor, points: Tensor) -> Tensor:
        seen.append(points.shape[1])
        return predict(latent, points)

    latent = sgd(watched, queries, features, given, chunk=chunk)
    expected = by_hand(sgd, field, queries, features, given, 3)
    torch.testing.assert_close(latent, expected, rtol=1e-10, atol=1e-10)
    assert max(seen) == min(chunk, M) and sum(seen) == 3 * M


def outer(
    sgd: MetaSGD, field: Siren, queries: Tensor, features: Tensor, weights: Tensor | None
) -> Tensor:
    """The loss of the outer loop: what is left after the inner one."""
    predict = predictor(field)
    latent = sgd(predict, queries, features, weights, create_graph=True)
    return distortion(predict(latent, queries), features, weights).mean()


def learned(sgd: MetaSGD, field: Siren) -> list[nn.Parameter]:
    return [*field.parameters(), *sgd.parameters()]


def entries(parameter: Tensor, many: int) -> Iterator[int]:
    """Some entries of a parameter, spread over all of it."""
    yield from range(0, parameter.numel(), max(1, parameter.numel() // many))


@pytest.mark.parametrize("context", [1.0, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
def test_outer_gradient_is_that_of_finite_differences(
    field: Siren, queries: Tensor, features: Tensor, weights: Tensor, weighted: bool, context: float
) -> None:
    given = weights if weighted else None
    sgd = adapter(context=context)
    parameters = learned(sgd, field)
    gradients = torch.autograd.grad(outer(sgd, field, queries, features, given), parameters)
    loss = partial(outer, sgd, field, queries, features, given)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        assert gradient.abs().max() > 1e-9
        noise = max(1e-8, 1e-9 * float(gradient.abs().max()))
        flat = parameter.detach().view(-1)
        for i in entries(parameter, 4):
            # Richardson: what a central difference errs by falls with the square of its step
            whole, half = (central(loss, flat, i, step) for step in (1e-6, 5e-7))
            difference = (4 * half - whole) / 3
            assert float(gradient.reshape(-1)[i]) == pytest.approx(difference, rel=1e-5, abs=noise)


def central(loss: Callable[[], Tensor], flat: Tensor, i: int, step: float) -> float:
    """The central difference of a loss in one entry."""
    kept = float(flat[i])
    sides = []
    for sign in (1, -1):
        flat[i] = kept + sign * step
        sides.append(float(loss().detach()))
    flat[i] = kept
    return (sides[0] - sides[1]) / (2 * step)


def test_the_outer_gradient_is_of_second_order(
    field: Siren, queries: Tensor, features: Tensor
) -> None:
    sgd, predict = adapter(), predictor(field)
    latent = sgd(predict, queries, features)  # first order: the latent is a constant
    constant = distortion(predict(latent, queries), features, None).mean()
    second = outer(sgd, field, queries, features, None)
    weight = field.weights[1]
    assert torch.equal(constant, second)
    (first_order,) = torch.autograd.grad(constant, weight)
    (second_order,) = torch.autograd.grad(second, weight)
    assert (first_order - second_order).abs().max() > 1e-3 * second_order.abs().max()


@pytest.mark.parametrize("context", [1.0, 0.4])
def test_recomputing_gives_identical_gradients(
    field: Siren, queries: Tensor, features: Tensor, weights: Tensor, context: float
) -> None:
    results = []
    for recompute in (False, True):
        sgd = adapter(context=context, recompute=recompute)
        loss = outer(sgd, field, queries, features, weights)
        results.append(torch.autograd.grad(loss, learned(sgd, field)))
    for kept, again in zip(*results, strict=True):
        assert kept.abs().max() > 1e-9
        torch.testing.assert_close(again, kept, rtol=1e-12, atol=1e-14)


class Memory(TorchDispatchMode):
    """Knows the storage of every result, and which of it is alive."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[StorageWeakRef, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_iter(result):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self.seen[StorageWeakRef(storage)] = storage.nbytes()
        return result

    def alive(self) -> int:
        """Bytes of all results that something still holds."""
        return sum(size for storage, size in self.seen.items() if not storage.expired())


def held(steps: int, recompute: bool) -> int:
    """Bytes that wait for the backward pass after the forward one."""
    field = ShiftSiren(D, C, K, 16, 4, 5.0).double()
    sgd = adapter(steps=steps, recompute=recompute)
    queries, features = torch.rand(1, 200, D).double(), torch.rand(B, 200, C).double()
    with Memory() as memory:
        loss = outer(sgd, field, queries, features, None)
    assert loss.requires_grad
    return memory.alive()


def test_recomputing_makes_memory_independent_of_the_steps() -> None:
    assert held(8, recompute=False) > 3 * held(2, recompute=False)
    assert held(8, recompute=True) < 1.1 * held(2, recompute=True)


@pytest.mark.parametrize("weighted", [False, True])
def test_context_keeps_the_largest_errors(
    field: Siren, queries: Tensor, features: Tensor, weights: Tensor, weighted: bool
) -> None:
    given = weights if weighted else None
    pruned = adapter(context=0.4)
    latent = pruned(predictor(field), queries, features, given, create_graph=True)
    expected = by_hand(pruned, field, queries, features, given, 3, keep=4)
    torch.testing.assert_close(latent, expected, rtol=1e-10, atol=1e-10)
    whole = by_hand(pruned, field, queries, features, given, 3)
    assert (whole - expected).abs().max() > 1e-3
    # Once learned, all observations are looked at
    coded = pruned(predictor(field), queries, features, given)
    torch.testing.assert_close(coded, whole, rtol=1e-10, atol=1e-10)


def test_a_tiny_context_keeps_one_observation(
    field: Siren, queries: Tensor, features: Tensor
) -> None:
    pruned = adapter(context=1e-6)
    latent = pruned(predictor(field), queries, features, create_graph=True)
    expected = by_hand(pruned, field, queries, features, None, 3, keep=1)
    torch.testing.assert_close(latent, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("context", [1.0, 0.8])
@pytest.mark.parametrize("create_graph", [False, True])
def test_an_observation_of_weight_zero_has_no_influence(
    field: Siren,
    queries: Tensor,
    features: Tensor,
    weights: Tensor,
    create_graph: bool,
    context: float,
) -> None:
    weights[:, [2, 7]] = 0.0
    sgd, predict = adapter(context=context), predictor(field)
    other = features.clone()
    other[:, [2, 7]] = 1e6
    first, second = (
        sgd(predict, queries, given, weights, create_graph=create_graph)
        for given in (features, other)
    )
    assert torch.equal(first, second)
    assert torch.equal(
        distortion(predict(first, queries), features, weights),
        distortion(predict(first, queries), other, weights),
    )
    if context == 1.0:  # and it is as if it were not there
        known = [m for m in range(M) if m not in (2, 7)]
        left = sgd(predict, queries[:, known], features[:, known], weights[:, known])
        torch.testing.assert_close(first, left, rtol=1e-10, atol=1e-10)


def test_a_signal_of_which_nothing_is_known_stays_at_the_start(
    field: Siren, queries: Tensor, features: Tensor, weights: Tensor
) -> None:
    weights[1] = 0.0
    sgd = adapter()
    latent = sgd(predictor(field), queries, features, weights)
    assert torch.equal(latent[1], sgd.start.detach())
    assert torch.isfinite(latent).all()


def test_distortion_is_the_weighted_mean(features: Tensor, weights: Tensor) -> None:
    predicted = torch.rand(B, M, C).double()
    for given in (None, weights, weights[:1]):
        expected = [
            loss_of(predicted[b], features[b], None if given is None else given[b % len(given)])
            for b in range(B)
        ]
        torch.testing.assert_close(distortion(predicted, features, given), torch.stack(expected))


def test_signals_do_not_see_each_other(field: Siren, queries: Tensor, features: Tensor) -> None:
    sgd, predict = adapter(), predictor(field)
    together = sgd(predict, queries, features)
    alone = torch.cat([sgd(predict, queries, row[None]) for row in features])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.enable_grad])
def test_without_a_graph_nothing_is_retained(
    field: Siren, queries: Tensor, features: Tensor, mode: type[torch.no_grad]
) -> None:
    made: list[weakref.ref[Tensor]] = []
    predict = predictor(field)

    def watched(latent: Tensor, points: Tensor) -> Tensor:
        values = predict(latent, points)
        made.append(weakref.ref(values))
        return values

    with mode():
        latent = adapter()(watched, queries, features)
    assert latent.grad_fn is None and not latent.requires_grad
    assert len(made) == 3 and all(each() is None for each in made)
    assert all(parameter.grad is None for parameter in field.parameters())


def test_what_is_not_learned_is_fixed() -> None:
    made = MetaSGD(K), MetaSGD(K, learn_lr=False), MetaSGD(K, learn_start=False)
    names = [{n for n, p in each.named_parameters() if p.requires_grad} for each in made]
    assert names == [{"start", "lrs"}, {"start"}, {"lrs"}]


@pytest.mark.parametrize("recompute", [False, True])
def test_a_fixed_start_lets_the_rest_learn(
    field: Siren, queries: Tensor, features: Tensor, recompute: bool
) -> None:
    free, fixed = adapter(recompute=recompute), adapter(recompute=recompute)
    fixed.start.requires_grad_(False)
    others = [[*field.parameters(), each.lrs] for each in (free, fixed)]
    expected, actual = (
        torch.autograd.grad(outer(each, field, queries, features, None), parameters)
        for each, parameters in zip((free, fixed), others, strict=True)
    )
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)


def test_more_steps_fit_better(field: Siren, queries: Tensor, features: Tensor) -> None:
    predict = predictor(field)
    losses = []
    for steps in (0, 3, 30):
        latent = adapter(lr=0.2)(predict, queries, features, steps=steps)
        with torch.no_grad():
            losses.append(float(distortion(predict(latent, queries), features, None).mean()))
    assert losses[2] < losses[1] < losses[0]
