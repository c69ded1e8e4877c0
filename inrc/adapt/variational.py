"""Variational inference: the latent of a signal is a Gaussian over the weights of its field."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.adapt.adapter import Adapter, Predict, distortion_and_grad
from inrc.adapt.gaussian import Prior
from inrc.adapt.posterior import Posterior

LAST = 0.1
"""Share of the first learning rate that is left at the end of an encoding."""


def slopes(
    predict: Predict,
    posterior: Posterior,
    queries: Float[Tensor, "#B M Q"],
    features: Float[Tensor, "B M C"],
    weights: Float[Tensor, "#B M"] | None,
    chunk: int,
    draws: int,
) -> tuple[Float[Tensor, "B W"], Float[Tensor, "B W"]]:
    """Derivatives of the expected distortion with respect to the means and the deviations.

    Each of `draws` weights is asked at its own share of the observations: as much work as one draw
    for all and a fraction of the noise, on the way to a draw for every observation (the local
    reparametrisation of COMBINER, which a field that is only asked for its answers cannot have).
    """
    mean, sigma = posterior.mean, posterior.sigma
    slope, spread = torch.zeros_like(mean), torch.zeros_like(mean)
    size = features.shape[1]
    whole = None if weights is None else weights.sum(1, keepdim=True).clamp_min(1e-12)
    step = -(-size // draws)
    for start in range(0, size, step):
        part = slice(start, start + step)
        noise = torch.randn_like(mean)
        seen = None if weights is None else weights[:, part]
        _, found = distortion_and_grad(predict, mean + sigma * noise, queries[:, part], features[:, part],
                           seen, chunk)  # fmt: skip
        share: Tensor | float = features[:, part].shape[1] / size
        if seen is not None and whole is not None:
            share = seen.sum(1, keepdim=True) / whole
        slope += share * found
        spread += share * found * noise
    return slope, spread


class Variational(Adapter):
    """Fits a factorised Gaussian over the weights by Adam, for every prior of all quality levels at once.

    Minimises distortion + beta KL(q || p) (COMBINER, arXiv:2305.19185, eq. 5), distortion the mean
    squared error and KL in nats. A latent is [weights, R means, R rhos], W of each: the last
    prior's mean stands in front, where the field takes its weights from.

    In training, that is with a graph and `rows`, posteriors and moments are remembered per signal
    and go on from there; after every call the priors take their closed form from all that is
    remembered: coordinate descent, with partial steps (Neal and Hinton 1998, incremental EM). The
    weights in front are then a draw from the posterior of a random prior, so that the loss of the
    training step is the expected distortion and what the field learns suits all quality levels. The
    memory is no part of a checkpoint: what is resumed starts from its priors again.

    Args:
        priors: of the quality levels; they belong to its bottlenecks.
        betas: what a nat costs in mean squared error, one per prior.
        steps: of Adam, per call.
        lr: learning rate in training; weights are near 1.
        encode_lr: first learning rate of an encoding, which ends at a tenth of it.
        first: steps of the first call with a new signal: a prior that follows posteriors that have
            hardly left it would keep them there.
        draws: weights per step.
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
        self._priors = tuple(priors)  # a tuple hides them: their state is the bottlenecks'
        self.betas = tuple(betas)
        self.steps = steps
        self.lr = lr
        self.encode_lr = encode_lr
        self.first = first
        self.draws = draws
        self._memory: Posterior | None = None

    def forward(
        self,
        predict: Predict,
        queries: Float[Tensor, "#B M Q"],
        features: Float[Tensor, "B M C"],
        weights: Float[Tensor, "#B M"] | None = None,
        steps: int | None = None,
        create_graph: bool = False,
        chunk: int | None = None,
        rows: Int[Tensor, "B"] | None = None,
    ) -> Float[Tensor, "B K"]:
        """Latents of the rows, never with a graph."""
        learn = create_graph and rows is not None
        count, many = len(self._priors), len(features)
        total = self.steps if steps is None else steps
        if learn and rows is not None:
            posterior = self._recall(rows)
            if bool((posterior.count == 0).any()):
                total = max(total, self.first)
        else:
            posterior = self._new(many)
        mean = torch.stack([p.mean.detach() for p in self._priors])  # R W
        sigma = torch.stack([p.sigma for p in self._priors])
        prior_mean, prior_sigma = (x.repeat_interleave(many, 0) for x in (mean, sigma))
        beta = mean.new_tensor(self.betas).repeat_interleave(many)[:, None]
        seen = (
            queries if len(queries) == 1 else queries.repeat(count, 1, 1),
            features.repeat(count, 1, 1),
            weights if weights is None or len(weights) == 1 else weights.repeat(count, 1),
        )
        for step in range(total):
            found = slopes(predict, posterior, *seen, chunk or features.shape[1], self.draws)
            decay = 0.5 + 0.5 * math.cos(math.pi * step / total)
            lr = self.lr if learn else self.encode_lr * (LAST + (1.0 - LAST) * decay)
            posterior.step(*found, prior_mean, prior_sigma, beta, lr)
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
        """What is remembered of these signals; new ones start at the priors."""
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
        found = self._memory.state[:, :, rows]  # 6 R B W
        for number, prior in enumerate(self._priors):  # the priors may have moved since
            found[0, number, fresh] = prior.mean.detach()
            found[1, number, fresh] = prior.typical
        return Posterior(found.flatten(1, 2), self._memory.count[:, rows].flatten(0, 1))

    def _remember(self, rows: Int[Tensor, "B"], posterior: Posterior) -> None:
        """Keep the posteriors, and let the priors follow."""
        assert self._memory is not None
        shape = (len(self._priors), len(rows))
        self._memory.state[:, :, rows] = posterior.state.unflatten(1, shape)
        self._memory.count[:, rows] = posterior.count.unflatten(0, shape)
        known = self._memory.count[0, :, 0] > 0
        for number, prior in enumerate(self._priors):
            prior.update(*self._memory.state[:2, number, known])
