"""Variational inference: the latent of a signal is a Gaussian over the weights of its field."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.adapt.adapter import Adapter
from inrc.adapt.problem import Indices, Problem, distortion_and_grad
from inrc.gaussian import Gaussian, Posterior, Prior

FINAL_RATE = 0.1
"""Learning rate at the end of an encoding, as a share of the first."""


def slopes(
    problem: Problem, posterior: Posterior, draws: int
) -> tuple[Float[Tensor, "B W"], Float[Tensor, "B W"]]:
    """Derivatives of the expected distortion with respect to the means and the deviations.

    Each of `draws` draws of the weights is evaluated at its own share of the observations: as much
    work as one draw for all and a fraction of the noise. (The local reparametrisation of COMBINER,
    a draw for every observation, needs access to the layers of the field.)
    """
    mean, sigma = posterior.mean, posterior.sigma
    slope, spread = torch.zeros_like(mean), torch.zeros_like(mean)
    size, weights = problem.observations, problem.weights
    whole = None if weights is None else weights.sum(1, keepdim=True).clamp_min(1e-12)
    step = -(-size // draws)
    for start in range(0, size, step):
        part = problem.at(slice(start, start + step))
        noise = torch.randn_like(mean)
        _, gradient = distortion_and_grad(part, mean + sigma * noise)
        share: Tensor | float = part.observations / size
        if part.weights is not None and whole is not None:
            share = part.weights.sum(1, keepdim=True) / whole
        slope += share * gradient
        spread += share * gradient * noise
    return slope, spread


class Variational(Adapter):
    """Fits a factorised Gaussian over the weights by Adam, for the priors of all quality levels.

    Minimises distortion + beta KL(q || p) (COMBINER, arXiv:2305.19185, eq. 5), distortion the mean
    squared error and KL in nats. A latent is [weights, R means, R rhos], W of each. The field reads
    the weights, which are the last prior's mean.

    In training, with a graph and `rows`, the posteriors and moments of each signal are stored and
    continued; after every call the priors are computed in closed form from all stored posteriors:
    coordinate descent with partial steps (Neal and Hinton 1998, incremental EM). The weights are
    then a draw from the posterior of a random prior, so that the loss of the training step is the
    expected distortion over all quality levels. Stored posteriors are not part of a checkpoint: a
    resumed training starts from its priors.

    Args:
        priors: one for each quality level; they belong to the bottlenecks.
        betas: price of a nat in mean squared error, one per prior.
        steps: Adam steps per call.
        lr: learning rate in training; weights are near 1.
        encode_lr: first learning rate of an encoding; the last one is a tenth of it.
        first: steps of the first call with a new signal. With few steps the prior would follow
            posteriors that have hardly moved, and hold them there.
        draws: draws of the weights per step.
    """

    def __init__(
        self,
        priors: Sequence[Prior],
        betas: Sequence[float],
        steps: int = 10,
        lr: float = 1e-2,
        encode_lr: float = 2e-2,
        first: int = 100,
        draws: int = 4,
    ) -> None:
        super().__init__()
        self._priors = tuple(priors)  # a tuple does not register them: bottlenecks own their state
        self.betas = tuple(betas)
        self.steps = steps
        self.lr = lr
        self.encode_lr = encode_lr
        self.first = first
        self.draws = draws
        self._memory: Posterior | None = None

    def solve(
        self, problem: Problem, steps: int, create_graph: bool = False, rows: Indices | None = None
    ) -> Float[Tensor, "B K"]:
        learn = create_graph and rows is not None
        count, many = len(self._priors), len(problem.features)
        if learn and rows is not None:
            posterior = self._recall(rows)
            if bool((posterior.count == 0).any()):
                steps = max(steps, self.first)
        else:
            posterior = self._new(many)
        pairs = zip(*(p.gaussian for p in self._priors), strict=True)  # means, deviations: R of W
        prior = Gaussian(*(torch.stack(each).repeat_interleave(many, 0) for each in pairs))
        beta = prior.mean.new_tensor(self.betas).repeat_interleave(many)[:, None]
        repeated = problem.repeated(count)
        for step in range(steps):
            gradient = slopes(repeated, posterior, self.draws)
            decay = 0.5 + 0.5 * math.cos(math.pi * step / steps)
            lr = self.lr
            if not learn:
                lr = self.encode_lr * (FINAL_RATE + (1.0 - FINAL_RATE) * decay)
            posterior.step(*gradient, prior, beta, lr)
        means = posterior.mean.unflatten(0, (count, many)).transpose(0, 1)  # B R W
        rhos = posterior.rho.unflatten(0, (count, many)).transpose(0, 1)
        front = means[:, -1]
        if learn and rows is not None:
            self._remember(rows, posterior)
            draw = posterior.mean + posterior.sigma * torch.randn_like(posterior.mean)
            which = torch.randint(count, (many,), device=draw.device)
            front = draw[which * many + torch.arange(many, device=draw.device)]
        return torch.cat([front, means.flatten(1), rhos.flatten(1)], 1)

    def _new(self, many: int) -> Posterior:
        """Posteriors at the means of the priors (RECOMBINER, sec. 4), prior by prior."""
        return Posterior.start(
            torch.cat([p.mean.detach().expand(many, -1) for p in self._priors]),
            torch.cat([p.typical.expand(many, -1) for p in self._priors]),
        )

    def _recall(self, rows: Int[Tensor, "B"]) -> Posterior:
        """The stored posteriors of these signals; new ones start at the priors."""
        need = int(rows.max()) + 1
        known = 0 if self._memory is None else self._memory.count.shape[1]
        if need > known:
            new = self._new(max(need, 2 * known) - known)
            shape = (len(self._priors), -1)
            grown = Posterior(new.state.unflatten(1, shape), new.count.unflatten(0, shape))
            if self._memory is not None:
                grown.state = torch.cat([self._memory.state, grown.state], 2)
                grown.count = torch.cat([self._memory.count, grown.count], 1)
            self._memory = grown
        assert self._memory is not None
        fresh = self._memory.count[0, rows, 0] == 0
        state = self._memory.state[:, :, rows]  # 6 R B W
        for number, prior in enumerate(self._priors):  # the priors may have moved since
            state[0, number, fresh] = prior.mean.detach()
            state[1, number, fresh] = prior.typical
        return Posterior(state.flatten(1, 2), self._memory.count[:, rows].flatten(0, 1))

    def _remember(self, rows: Int[Tensor, "B"], posterior: Posterior) -> None:
        """Store the posteriors and update the priors."""
        assert self._memory is not None
        shape = (len(self._priors), len(rows))
        self._memory.state[:, :, rows] = posterior.state.unflatten(1, shape)
        self._memory.count[:, rows] = posterior.count.unflatten(0, shape)
        known = self._memory.count[0, :, 0] > 0
        for number, prior in enumerate(self._priors):
            prior.update(*self._memory.state[:2, number, known])
