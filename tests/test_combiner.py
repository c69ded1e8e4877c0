"""COMBINER's parts beside closed forms, torch.distributions, Random123's vectors and the table of
what a coder with 2^16 candidates does; its files beside their own bytes."""

import hashlib
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import torch
from combiner_models import trained
from torch.distributions import Normal, kl_divergence

from inrc import codec
from inrc.entropy import Candidates, RelativeBottleneck, Schedule
from inrc.entropy.candidates import COUNT, choose
from inrc.entropy.philox import inverse_normal, logarithm, normals, philox, uniforms
from inrc.errors import ContainerError
from inrc.fields import BayesianSiren
from inrc.gaussian import (
    NATS,
    Gaussian,
    Posterior,
    Prior,
    deviation,
    divergence,
    inverse_deviation,
    temper,
)  # fmt: skip
from inrc.signal import View
from inrc_modalities.audio import AudioDataModule
from inrc_modalities.image import ImageDataModule

CANDIDATES = "e9c6dec243be6f467342cb12f2c91714ec8c9d7f202903ae49ec642ad13bb7ba"
"""SHA-256 of candidates 0 to 65535, 128 weights each, little-endian float64. Never to be changed:
files are numbers of these."""
SHARED = Candidates()


def test_the_generator_is_philox() -> None:
    """Known answers of the authors' Random123, kat_vectors, philox4x32 with 10 rounds."""
    known = [
        ([0] * 4, (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([2**32 - 1] * 4, (2**32 - 1,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], (0xA4093822, 0x299F31D0),
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ]  # fmt: skip
    for counter, key, expected in known:
        numbers = philox(np.array(counter, np.uint32), key)
        assert " ".join(f"{number:08x}" for number in numbers) == expected


def test_candidates_are_the_same_for_ever() -> None:
    table = normals(np.arange(COUNT), 128, 0)
    assert hashlib.sha256(table.astype("<f8").tobytes()).hexdigest() == CANDIDATES
    # any of them on its own, and of fewer weights
    some = np.array([65535, 7, 0, 40000])
    assert np.array_equal(normals(some, 30, 0), table[some, :30])
    # and they are what they should be: moments, independence, tails
    assert abs(table.mean()) < 1e-3 and abs(table.std() - 1) < 1e-3
    share = np.corrcoef(table[:, :24].T) - np.eye(24)
    assert np.abs(share).max() < 5 / math.sqrt(COUNT)
    assert (np.abs(table) > 3).mean() == pytest.approx(2 * NormalDist().cdf(-3), rel=0.02)


def test_the_inverse_normal_agrees_with_python_and_the_logarithm_with_numpy() -> None:
    p = np.concatenate([uniforms(np.arange(500), 4, 0).ravel(), np.logspace(-10.5, -1, 500)])
    p = np.concatenate([p, 1 - p])
    expected = np.array([NormalDist().inv_cdf(value) for value in p])
    np.testing.assert_allclose(inverse_normal(p), expected, rtol=2e-14, atol=1e-15)
    x = np.concatenate([p, np.logspace(-300, 300, 999)])
    np.testing.assert_allclose(logarithm(x), np.log(x), rtol=1e-15, atol=1e-16)


def gaussians(*shape: int) -> tuple[Gaussian, Gaussian]:
    """Posteriors, and their prior."""
    posterior = Gaussian(torch.randn(shape), torch.rand(shape) + 0.05)
    return posterior, Gaussian(torch.randn(shape[-1:]), torch.rand(shape[-1:]) + 0.2)


def test_the_divergence_is_that_of_torch() -> None:
    torch.manual_seed(0)
    q, p = (each.double() for each in gaussians(40, 9))
    torch.testing.assert_close(divergence(q, p), kl_divergence(Normal(*q), Normal(*p)))
    torch.testing.assert_close(deviation(inverse_deviation(q.sigma)), q.sigma)


def test_the_prior_in_closed_form_is_where_gradient_descent_ends() -> None:
    torch.manual_seed(0)
    (mean, sigma), _ = gaussians(30, 5)
    rho = inverse_deviation(sigma)
    prior = Prior(torch.zeros(5), 1.0, 0.1)
    prior.update(mean, rho)
    free = [torch.zeros(5).double().requires_grad_() for _ in range(2)]
    descent = torch.optim.LBFGS(free, max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        descent.zero_grad()
        q = Normal(mean.double(), deviation(rho).double())
        total = kl_divergence(q, Normal(free[0], free[1].exp())).sum()
        total.backward()
        return total

    descent.step(loss)
    torch.testing.assert_close(prior.mean.detach().double(), free[0].detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(prior.log_sigma.detach().double(), free[1].detach(), rtol=1e-4,
                               atol=1e-5)  # fmt: skip
    assert float(prior.cost.sum()) == pytest.approx(float(loss().detach()) / 30, rel=1e-4)


def test_a_step_of_a_posterior_is_adam_on_the_whole_objective() -> None:
    """Against autograd and torch's own Adam, with a distortion that is a quadratic."""
    torch.manual_seed(0)
    (mean, sigma), prior = (each.double() for each in gaussians(3, 7))
    rho, target, beta = inverse_deviation(sigma), torch.randn(3, 7).double(), 0.3
    ours = Posterior.start(mean, rho)
    theirs = [mean.clone().requires_grad_(), rho.clone().requires_grad_()]
    adam = torch.optim.Adam(theirs, lr=0.05)
    for _ in range(20):
        noise = torch.randn(3, 7).double()
        slope = 2 * (ours.mean + ours.sigma * noise - target)
        ours.step(slope, slope * noise, prior, torch.full((1, 1), beta).double(), 0.05)
        adam.zero_grad()
        width = torch.nn.functional.softplus(theirs[1])
        loss = (theirs[0] + width * noise - target).square().sum()
        q = Normal(theirs[0], width)
        (loss + beta * kl_divergence(q, Normal(*prior)).sum()).backward()
        adam.step()
    torch.testing.assert_close(ours.mean, theirs[0].detach())
    torch.testing.assert_close(ours.rho, theirs[1].detach())


def test_tempering_ends_in_the_range_and_leaves_alone_what_is_in_it() -> None:
    torch.manual_seed(0)
    q, p = gaussians(200, 6)
    before = divergence(q, p).sum(1)
    low, high = 25.0, 60.0
    assert (before > high).any() and (before < low).any()
    tempered = temper(q, p, low, high, max_t=1e3)
    after = divergence(tempered, p).sum(1)
    assert after.min() > low - 1e-4 and after.max() < high + 1e-4
    inside = (before >= low) & (before <= high)
    assert inside.any() and torch.allclose(tempered.mean[inside], q.mean[inside], atol=1e-6)


# methods in COMBINER's way measure E|z - m|^2 / s^2 there; 1 is a perfect draw
TABLE = [
    (8, 4, 0.82, 0.99), (8, 12, 0.93, 0.98), (8, 25, 0.98, 1.06),
    (12, 4, 0.89, 0.90), (12, 12, 0.96, 1.05), (12, 25, 0.98, 1.06),
    (16, 4, 1.10, 1.27), (16, 12, 1.06, 1.18), (16, 25, 1.09, 1.13),
]  # fmt: skip


@pytest.mark.parametrize(("bits", "size", "low", "high"), TABLE)
def test_the_coder_draws_as_well_as_2_to_the_16_candidates_can(
    bits: int, size: int, low: float, high: float
) -> None:
    rows = 160
    generator = torch.Generator().manual_seed(bits * 100 + size)
    share = torch.rand(rows, size, generator=generator) + 0.3
    share = share / share.sum(1, keepdim=True) * bits / NATS  # nats of every weight
    sigma = torch.rand(rows, size, generator=generator) * 0.5 + 0.4
    # the offset that makes up for what the width does not cost
    prior = Gaussian(torch.zeros(size), torch.ones(size))
    rest = share - divergence(Gaussian(0 * sigma, sigma), prior)
    sigma = torch.where(rest < 0, torch.ones(()), sigma)
    rest = share - divergence(Gaussian(0 * sigma, sigma), prior)
    sign = torch.randn(rows, size, generator=generator).sign()
    q = Gaussian(sign * (2 * rest.clamp_min(0)).sqrt(), sigma)
    assert torch.allclose(divergence(q, prior).sum(1) * NATS, torch.tensor(float(bits)))
    waits = -torch.rand(rows, COUNT, generator=generator, dtype=torch.float64).log()
    index = choose(q, prior, SHARED, -waits.cumsum(1).log())
    drawn = torch.from_numpy(SHARED.rows(index.numpy(), size))
    ratio = float(((drawn - q.mean) / sigma).square().mean())
    noise = 3 * math.sqrt(2 / (rows * size))  # three deviations of a mean of squares
    assert low - noise < ratio < high + noise
    # numbers are small where little is said: the race is ordered
    expected = {8: 7.5, 12: 10.5, 16: 11.7}[bits]
    assert float(torch.log2(index.double() + 1).mean()) == pytest.approx(expected, abs=1.3)


def fitted() -> tuple[RelativeBottleneck, torch.Tensor, torch.Tensor]:
    """A bottleneck for 90 weights whose distortion is a quadratic, and optima for 24 signals."""
    torch.manual_seed(0)
    prior = Prior(torch.randn(90), 0.5, 0.1)
    means = prior.mean.detach() + 0.5 * torch.randn(300, 90)
    prior.update(means, inverse_deviation(torch.full((300, 90), 0.25)))
    bottleneck = RelativeBottleneck(
        90, 0, 1, prior, 0.1, schedule=Schedule(500, 800, 2e-2), candidates=SHARED
    )
    bottleneck.calibrate(torch.zeros(0, 270), torch.zeros(0, 0), 100)
    return bottleneck, means[:24], torch.linspace(0.5, 2.0, 90)


def test_blocks_are_as_training_said_and_end_at_16_bits() -> None:
    bottleneck, optimum, curvature = fitted()
    assert bottleneck.blocks is not None and bottleneck.symbols > 4
    every = torch.cat(bottleneck.blocks)
    assert torch.equal(every.sort().values, torch.arange(90))
    cost = bottleneck.prior.cost * NATS
    filled = torch.stack([cost[block].sum() for block in bottleneck.blocks])
    assert filled.max() <= 16.0 and filled[:-1].min() > 16.0 - cost.max()

    seen: list[torch.Tensor] = []
    encode = bottleneck._coder.encode

    def coded(posterior: Gaussian, block: torch.Tensor) -> torch.Tensor:
        prior = bottleneck.prior.gaussian.block(block)
        seen.append(divergence(posterior.block(block), prior).sum(1) * NATS)
        return encode(posterior, block)

    bottleneck._coder.encode = coded  # type: ignore[method-assign]
    prior = bottleneck.prior
    latents = torch.cat([prior.mean.detach().expand(24, -1).repeat(1, 2),
                         prior.typical.expand(24, -1)], 1)  # fmt: skip

    def distort(weights: torch.Tensor) -> torch.Tensor:
        return (curvature * (weights[:, :90] - optimum).square()).sum(1)

    symbols = bottleneck.search(latents, distort)
    costs = torch.stack(seen, 1)
    # the prices alone bring them there; what tempering has left to do is little
    assert (costs - 16).abs().median() < 0.3
    assert ((costs - 16).abs() < 0.6).float().mean() > 0.9
    errors = distort(bottleneck.dequantize(symbols))
    nothing = distort(prior.mean.detach().expand(24, -1))
    # the rate-distortion function of these Gaussians at as many bits, and the coder's excess
    assert float(errors.mean()) < 0.3 * float(nothing.mean())
    assert float(errors.mean()) < float(distort(bottleneck.dequantize(symbols * 0)).mean())
    assert torch.equal(bottleneck.bits(symbols), torch.full((24,), 16.0 * bottleneck.symbols))


def test_refinement_makes_up_for_what_candidates_miss() -> None:
    """Weights that share their effect: with refinement the later ones repair the earlier ones."""
    errors = []
    for refine in (0, 120):
        bottleneck, optimum, _ = fitted()
        bottleneck.schedule = replace(bottleneck.schedule, refine=refine)
        torch.manual_seed(1)
        mixture = torch.randn(90, 40) / 9.5
        prior = bottleneck.prior
        latents = torch.cat([prior.mean.detach().expand(24, -1).repeat(1, 2),
                             prior.typical.expand(24, -1)], 1)  # fmt: skip

        def distort(
            weights: torch.Tensor, m: torch.Tensor = mixture, o: torch.Tensor = optimum
        ) -> torch.Tensor:
            return ((weights[:, :90] - o) @ m).square().sum(1)

        symbols = bottleneck.search(latents, distort)
        errors.append(float(distort(bottleneck.dequantize(symbols)).mean()))
    assert errors[1] < 0.93 * errors[0]


def test_a_payload_is_two_bytes_a_block_and_any_other_is_refused() -> None:
    bottleneck, *_ = fitted()
    symbols = torch.randint(COUNT, (5, bottleneck.symbols)).int()
    payload = bottleneck.compress(symbols)
    assert len(payload) == 2 * symbols.numel()
    assert payload[:2] == int(symbols[0, 0]).to_bytes(2, "little")
    assert torch.equal(bottleneck.decompress(payload, 5), symbols)
    for wrong in (payload[:-1], payload + b"\0\0", b""):
        with pytest.raises(ContainerError, match="expected"):
            bottleneck.decompress(wrong, 5)
    other = RelativeBottleneck(90, 0, 1, Prior(torch.zeros(90), 1.0, 0.1), 0.1)
    assert not other.ready and bottleneck.ready
    other.load_state_dict(bottleneck.state_dict())
    assert torch.equal(other.dequantize(symbols), bottleneck.dequantize(symbols))


def test_the_field_is_the_network_of_its_weights() -> None:
    torch.manual_seed(0)
    field = BayesianSiren(2, 3, 2, width=5, depth=2, embedding=8, finest=4.0)
    assert field.weight_count == 9 * 5 + 6 * 5 + 6 * 3 and field.latent_dim == 3 * 93
    latent, points = torch.randn(4, field.latent_dim), torch.rand(1, 11, 2)
    values = field.condition(latent)(points)
    for row in range(4):
        w = latent[row, :93].split([45, 30, 18])
        angle = (points[0, :, :, None] * math.pi * torch.tensor([1.0, 4.0])).flatten(1)
        h = torch.cat([angle.cos(), angle.sin(), torch.ones(11, 1)], 1)
        h = torch.sin(30 * h @ (w[0].view(9, 5) / 8))
        h = torch.sin(h @ (w[1].view(6, 5) * math.sqrt(6 / 5))[:5]
                      + (w[1].view(6, 5) * math.sqrt(6 / 5))[5])  # fmt: skip
        last = w[2].view(6, 3) * math.sqrt(6 / 5) / 30
        torch.testing.assert_close(values[row], h @ last[:5] + last[5] + 0.5, rtol=1e-4, atol=1e-5)
    mixed = BayesianSiren(2, 3, 2, width=5, depth=2, embedding=8, finest=4.0, mixed=True)
    torch.testing.assert_close(mixed.condition(latent)(points), values)


DECODE = """
import sys, torch, numpy as np
from pathlib import Path
from inrc import codec
from inrc.model import Model
from inrc.signal import View
folder, latents = Path(sys.argv[1]), {}
model = Model.load(folder / "codec.safetensors")
for threads in (2, 1):
    torch.set_num_threads(threads)
    opened = codec.open_archive((folder / "x.inrc").read_bytes(), model)
    latents[str(threads)] = opened.latents
np.savez(folder / "x.npz", features=opened.signal(0, View()).features, **latents)
"""


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_a_file_is_its_blocks_and_decodes_to_what_its_encoder_had(
    kind: str, tmp_path: Path
) -> None:
    settings = {"batch_size": 4, "sample_folder": tmp_path / "sample", "val_fraction": 0.34}
    data = {
        "image": lambda: ImageDataModule(patch=16, sample_count=3, **settings),
        "audio": lambda: AudioDataModule(patch=512, sample_count=3, **settings),
    }[kind]()
    model = trained(data, tmp_path)
    path = data.val_paths[:1]
    sizes = set()
    for quality in range(2):
        made = codec.compress(path, model, quality)
        opened = codec.open_archive(made.data, model)
        blocks = model.network.bottleneck(quality).symbols
        parts = opened.archive.items[0].parts
        assert blocks > 0 and made.payload == 2 * blocks * parts
        assert len(made.data) <= made.payload + 18  # 14 before and 4 after it
        sizes.add(made.payload)
    (tmp_path / "x.inrc").write_bytes(made.data)
    mine = opened.signal(0, View()).features
    signal = model.modality.split(model.modality.read(path[0]))
    best = model.network.bottleneck(1)
    assert isinstance(best, RelativeBottleneck)
    errors = [
        float((model.network.decode(latents, signal.queries) - signal.features).square().mean())
        for latents in (opened.latents, best.prior.mean.detach().expand(parts, -1))
    ]
    assert errors[0] < errors[1]  # better than what every signal would decode to
    subprocess.run([sys.executable, "-c", DECODE, str(tmp_path)], check=True, cwd=tmp_path)
    with np.load(tmp_path / "x.npz") as there:
        assert np.array_equal(there["features"], mine.numpy())
        for threads in ("1", "2"):
            assert np.array_equal(there[threads], opened.latents.numpy())
