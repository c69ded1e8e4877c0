"""The prior of the weights, the divergence from it, and tempering towards it."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

NATS = 1.0 / math.log(2.0)
"""Bits per nat."""


def deviation(rho: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
    """Standard deviations softplus(rho), as in COMBINER; positive."""
    return nn.functional.softplus(rho).clamp_min(1e-12)


def inverse_deviation(sigma: Float[Tensor, "*B W"]) -> Float[Tensor, "*B W"]:
    """The rho of positive standard deviations."""
    return sigma + torch.log(-torch.expm1(-sigma))


class Gaussian(NamedTuple):
    """Gaussians of many weights: means and standard deviations of the same shape."""

    mean: Float[Tensor, "*B W"]
    sigma: Float[Tensor, "*B W"]

    def block(self, weights: Int[Tensor, "D"]) -> "Gaussian":
        """Those of some weights."""
        return Gaussian(self.mean[..., weights], self.sigma[..., weights])

    def double(self) -> "Gaussian":
        """The same in 64 bits."""
        return Gaussian(self.mean.double(), self.sigma.double())


def divergence(posterior: Gaussian, prior: Gaussian) -> Float[Tensor, "*B W"]:
    """KL(q || p) of every weight in nats.

    ln(sp / sq) + (sq^2 + (mq - mp)^2) / (2 sp^2) - 1/2 (COMBINER, arXiv:2305.19185, sec. 2).
    """
    ratio = posterior.sigma / prior.sigma
    offset = (posterior.mean - prior.mean) / prior.sigma
    return 0.5 * (ratio.square() + offset.square() - 1.0) - torch.log(ratio)


def temper(
    posterior: Gaussian, prior: Gaussian, low: float, high: float, max_t: float = 2.0
) -> Gaussian:
    """Posteriors with a divergence from the prior, summed over the last axis, in [low, high].

    q_t ~ q^t p^(1-t), whose divergence grows with t: natural parameters on the line from the prior
    (t = 0) through q (t = 1). Rows within the range do not change (t = 1). t is at most `max_t`: a
    row that is close to its prior may stay below the range.
    """
    q, p = posterior.double(), prior.double()
    base = p.sigma**-2
    precision = q.sigma**-2 - base
    pull = (q.mean - p.mean) * q.sigma**-2  # about the prior's mean

    def at(t: Tensor) -> Gaussian:
        total = (base + t * precision).clamp_min(base * 1e-6)
        return Gaussian(p.mean + t * pull / total, total**-0.5)

    def cost(t: Tensor) -> Tensor:
        return divergence(at(t), p).sum(1, keepdim=True)

    one = torch.ones_like(q.mean[:, :1])
    now = cost(one)
    target = now.clamp(low, high)
    # a step inside the range, for rounding to float32
    target = torch.where(now != target, target + (0.5 * (low + high) - target) * 0.1, target)
    below, above = torch.zeros_like(one), one * max_t
    for _ in range(50):
        middle = 0.5 * (below + above)
        over = cost(middle) > target
        below, above = torch.where(over, below, middle), torch.where(over, middle, above)
    t = torch.where(now == target, one, below)
    tempered = at(t)
    return Gaussian(tempered.mean.to(posterior.mean), tempered.sigma.to(posterior.sigma))


class Prior(nn.Module):
    """The Gaussian that the weights of all signals share, and the divergence of posteriors from it.

    `mean` and `log_sigma` are parameters without a gradient: `update` computes them in closed form.
    `cost` is the mean divergence of every weight over the training signals in nats, `typical` their
    mean rho, where a new posterior starts.
    """

    cost: Tensor
    typical: Tensor

    def __init__(self, mean: Float[Tensor, "W"], sigma: float, start: float) -> None:
        super().__init__()
        self.mean = nn.Parameter(mean.clone())
        self.log_sigma = nn.Parameter(torch.full_like(mean, math.log(sigma)))
        self.register_buffer("cost", torch.zeros_like(mean))
        self.register_buffer("typical", inverse_deviation(torch.full_like(mean, start * sigma)))

    @property
    def sigma(self) -> Float[Tensor, "W"]:
        """Standard deviations."""
        return self.log_sigma.detach().exp()

    @property
    def gaussian(self) -> Gaussian:
        """Mean and standard deviation, without a graph."""
        return Gaussian(self.mean.detach(), self.sigma)

    @torch.no_grad()
    def update(
        self, mean: Float[Tensor, "N W"], rho: Float[Tensor, "N W"], floor: float = 1e-4
    ) -> None:
        """The prior of least divergence from these posteriors (COMBINER, eq. 6).

        mp = mean of m_i; sp^2 = mean of s_i^2 + (m_i - mp)^2, over all processes. Deviations are
        at least `floor`, so that no weight is held fixed.
        """
        sigma = deviation(rho)
        count = _pooled(mean.new_tensor([float(len(mean))]))
        centre = _pooled(mean.sum(0)) / count
        variance = _pooled((sigma.square() + (mean - centre).square()).sum(0)) / count
        self.mean.copy_(centre)
        self.log_sigma.copy_(0.5 * torch.log(variance.clamp_min(floor**2)))
        cost = divergence(Gaussian(mean, sigma), self.gaussian)
        self.cost.copy_(_pooled(cost.sum(0)) / count)
        self.typical.copy_(_pooled(rho.sum(0)) / count)


def _pooled(total: Tensor) -> Tensor:
    """The sum over all processes of a training."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(total)
    return total
