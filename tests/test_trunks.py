"""Fields under inference mode and in threads; cached trunks are found by content."""

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from inrc.adapt import GaussNewton
from inrc.basis import BasisField
from inrc.basis.trunks import TrunkCache
from inrc.fields import BayesianSiren, Field, GatedSiren, PerSignalSiren, ShiftSiren, SparseSiren
from inrc.grid import coordinates
from inrc.methods import Basis
from inrc_modalities.image import Image


def basis(relief: int = 0) -> BasisField:
    """A field after its closed form, with tables if `relief` is not 0."""
    torch.manual_seed(0)
    points = coordinates((9, 9))[None]
    field = BasisField(2, 2, 6, 48, 24, 20.0, field_hidden=8, residual_table=relief)
    field.start(points, torch.randn(50, 81, 2), None)
    assert isinstance(field.residual, nn.Sequential)
    last = field.residual[-1]
    assert isinstance(last, nn.Linear)
    nn.init.normal_(last.weight)
    return field


FIELDS = [
    pytest.param(basis, id="basis"),
    pytest.param(lambda: basis(relief=4), id="table"),
    pytest.param(lambda: ShiftSiren(2, 2, 6, 8, 3, 30.0), id="shift"),
    pytest.param(lambda: GatedSiren(2, 2, 6, 8, 3, 30.0, 2, 8), id="gated"),
    pytest.param(lambda: SparseSiren(2, 2, 8, 3, 30.0, 0.0), id="sparse"),
    pytest.param(lambda: BayesianSiren(2, 2, 2, 8, 2, embedding=8), id="bayesian"),
    pytest.param(lambda: PerSignalSiren(2, 2, 8, 2), id="own"),
]


@pytest.mark.parametrize("build", FIELDS)
def test_inference_mode_changes_no_value_and_training_goes_on(build: Callable[[], Field]) -> None:
    torch.manual_seed(0)
    field = build().eval()
    latent, points = torch.randn(3, field.latent_dim), torch.rand(1, 40, 2)
    with torch.inference_mode():  # first, so that what is cached was made under it
        inside = field.condition(latent.clone())(points.clone())
    learned = latent.clone().requires_grad_()
    outside = field.condition(learned)(points)
    assert torch.equal(inside, outside) and not outside.is_inference()
    (gradient,) = torch.autograd.grad(outside.square().sum(), learned)
    assert bool((gradient != 0).any())
    with torch.inference_mode():
        assert torch.equal(field.condition(latent)(points), inside)


@pytest.mark.parametrize("build", FIELDS)
def test_eight_threads_get_the_values_of_one(build: Callable[[], Field]) -> None:
    torch.manual_seed(0)
    field, other = build(), build()
    other.load_state_dict(field.state_dict())
    tasks = [(torch.randn(2, field.latent_dim), torch.rand(1, 30 + n % 3, 2)) for n in range(64)]
    with torch.no_grad():
        expected = [other.condition(latent)(points) for latent, points in tasks]

    def evaluate(task: tuple[Tensor, Tensor]) -> Tensor:
        with torch.inference_mode():
            return field.condition(task[0])(task[1])

    with ThreadPoolExecutor(8) as pool:
        for value, one in zip(pool.map(evaluate, tasks), expected, strict=True):
            assert torch.equal(value, one)


def test_a_network_encodes_and_decodes_under_inference_mode() -> None:
    net = (
        Basis(latent_dim=6, num_frequencies=48, basis_size=24, w0=20.0, field_hidden=8)
        .build(2, 3, Image())
        .eval()
    )
    points = coordinates((8, 8))[None]
    net.field.start(points, torch.rand(40, 64, 3), None)
    images = torch.rand(5, 64, 3)
    expected = net.fit_latents(points, images, None)
    with torch.inference_mode():
        latents = net.fit_latents(points, images.clone(), None)
        decoded = net.decode(latents, points.clone())
    assert torch.equal(latents, expected)
    assert torch.equal(decoded, net.decode(expected, points))


def test_changed_in_place_points_and_weights_are_seen() -> None:
    field, latent = basis(), torch.randn(2, 6)
    points = torch.rand(1, 20, 2)
    field.condition(latent)(points)
    points += 0.1
    moved = field.condition(latent)(points)
    assert torch.equal(moved, basis().condition(latent)(points.clone()))
    with torch.no_grad():
        field.mix *= 2.0
        none = field.condition(torch.zeros(1, 6))(points) - field.condition(torch.zeros(1, 6))(
            points.clone()
        )
    assert not none.any()
    assert not torch.allclose(field.condition(latent)(points), moved)


def test_a_storage_that_is_used_again_is_not_mistaken_for_the_old_points() -> None:
    cache, seen = TrunkCache(), []
    for number in range(50):  # freed after each round, so that addresses come again
        points = torch.full((1, 4, 2), float(number))
        seen.append(float(cache.get(points, [], lambda p: p * 2).max()))
        del points
    assert seen == [2.0 * n for n in range(50)]


def test_copies_of_a_field_start_with_an_empty_cache() -> None:
    field, points = basis(), torch.rand(1, 20, 2)
    trunk = field.trunk(points)
    for other in (copy.deepcopy(field), pickle.loads(pickle.dumps(field))):
        assert other.trunk(points) is not trunk and torch.equal(other.trunk(points), trunk)


def test_threads_that_encode_share_an_adapter() -> None:
    field, adapter = basis(), GaussNewton(6).eval()
    points = [torch.rand(1, 30 + n % 3, 2) for n in range(24)]
    signals = [torch.rand(2, p.shape[1], 2) for p in points]

    def predict(latent: Tensor, asked: Tensor) -> Tensor:
        return field.condition(latent)(asked)

    expected = [GaussNewton(6).eval()(predict, *each) for each in zip(points, signals, strict=True)]
    with ThreadPoolExecutor(8) as pool:
        latents = list(pool.map(lambda p, x: adapter(predict, p, x), points, signals))
    for one, other in zip(latents, expected, strict=True):
        assert torch.equal(one, other)
