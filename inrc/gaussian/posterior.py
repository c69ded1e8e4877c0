"""Posteriors of many signals, each with an Adam optimiser of its own."""

import torch
from jaxtyping import Float
from torch import Tensor

from inrc.gaussian.prior import Gaussian, deviation

MOMENTS = (0.9, 0.999)
"""Decay of Adam's moments (arXiv:1412.6980), the authors' own."""
EPSILON = 1e-8


class Posterior:
    """Means and rhos of Gaussians over weights, with Adam's moments of each.

    The tensor `state`, 6 x rows x W, holds mean, rho, and the first and second moments of both;
    `count` holds the number of steps of each row.
    """

    def __init__(self, state: Float[Tensor, "6 *B W"], count: Float[Tensor, "*B 1"]) -> None:
        self.state = state
        self.count = count

    @staticmethod
    def start(mean: Float[Tensor, "*B W"], rho: Float[Tensor, "*B W"]) -> "Posterior":
        """New posteriors, before the first step."""
        state = mean.new_zeros(6, *mean.shape)
        state[0], state[1] = mean, rho
        return Posterior(state, mean.new_zeros(*mean.shape[:-1], 1))

    @property
    def mean(self) -> Float[Tensor, "*B W"]:
        return self.state[0]

    @property
    def rho(self) -> Float[Tensor, "*B W"]:
        return self.state[1]

    @property
    def sigma(self) -> Float[Tensor, "*B W"]:
        """Standard deviations."""
        return deviation(self.state[1])

    @property
    def gaussian(self) -> Gaussian:
        """Means and standard deviations."""
        return Gaussian(self.mean, self.sigma)

    @torch.no_grad()
    def step(
        self,
        slope: Float[Tensor, "*B W"],
        spread: Float[Tensor, "*B W"],
        prior: Gaussian,
        beta: Float[Tensor, "*#B #W"],
        rate: float,
        free: Float[Tensor, "*#B W"] | None = None,
    ) -> None:
        """One step of Adam on distortion + sum of beta KL.

        `slope` is the derivative of the distortion with respect to weights mean + sigma * noise,
        `spread` that times the noise: the derivative with respect to sigma (Kingma and Welling
        2014, arXiv:1312.6114, sec. 2.4). The divergence is differentiated in closed form. Weights
        whose `free` is 0 do not change.
        """
        mean, rho, sigma = self.state[0], self.state[1], self.sigma
        precision = prior.sigma**-2
        to_mean = slope + beta * (mean - prior.mean) * precision
        to_sigma = spread + beta * (sigma * precision - 1.0 / sigma)
        gradient = torch.stack([to_mean, to_sigma * torch.sigmoid(rho)])
        self.count += 1.0
        first, second = self.state[2:4], self.state[4:6]
        first.lerp_(gradient, 1.0 - MOMENTS[0])
        second.lerp_(gradient.square(), 1.0 - MOMENTS[1])
        size = rate / (1.0 - MOMENTS[0] ** self.count)
        root = (second / (1.0 - MOMENTS[1] ** self.count)).sqrt_().add_(EPSILON)
        move = size * first / root
        if free is not None:
            move = move * free
        self.state[:2] -= move
