"""A few gradient steps from a learned start with learned step sizes."""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from inrc.adapt.adapter import Adapter
from inrc.adapt.problem import Indices, Problem, distortion, distortion_and_grad

Penalty = Callable[[Tensor], Tensor]


class MetaSGD(Adapter):
    """A few plain gradient steps from a learned start with learned step sizes per latent.

    phi <- phi - alpha o grad of the row's distortion (CAVIA, arXiv:1810.03642; Meta-SGD,
    arXiv:1707.09835; COIN++, arXiv:2201.12904, eq. 8). With `create_graph` the result is
    differentiable through all steps (second order).

    Args:
        latent_dim: size of the latent.
        steps: gradient steps.
        lr: initial step size; with `learn_rate` every latent has its own and learns it.
        learn_lr: learn the step sizes.
        learn_start: learn the initial latent (elsewhere it stays 0).
        context: share of the observations used by a step while training: the ones with the largest
            error (context pruning, GradNCP, arXiv:2302.00617, with the output's part of its score).
        recompute: do not store the activations of a step; the backward pass computes them again.
        penalty: latents B K to a term (B) that is added to their distortion.
    """

    def __init__(
        self,
        latent_dim: int,
        steps: int = 3,
        lr: float = 0.1,
        learn_lr: bool = True,
        learn_start: bool = True,
        context: float = 1.0,
        recompute: bool = False,
        penalty: Penalty | None = None,
    ) -> None:
        super().__init__()
        self.steps = steps
        self.context = context
        self.recompute = recompute
        self.penalty = penalty
        self.start = nn.Parameter(torch.zeros(latent_dim), requires_grad=learn_start)
        self.lrs = nn.Parameter(torch.full((latent_dim,), lr), requires_grad=learn_lr)

    def solve(
        self, problem: Problem, steps: int, create_graph: bool = False, rows: Indices | None = None
    ) -> Float[Tensor, "B K"]:
        latent = self.start.expand(len(problem.features), -1)
        if not latent.requires_grad:  # a start that is not learned
            latent = latent.detach().requires_grad_()
        with torch.enable_grad():
            for _ in range(steps):
                if not create_graph:
                    _, gradient = distortion_and_grad(problem, latent)
                    latent = latent.detach() - self.lrs * (gradient + self._price(latent))
                elif self.recompute:
                    latent = checkpoint(self._step, problem, latent, use_reentrant=False)
                else:
                    latent = self._step(problem, latent)
        return latent if create_graph else latent.detach()

    def _step(self, problem: Problem, latent: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        if self.context < 1.0:
            problem = self._prune(problem, latent)
        predicted = problem.predict(latent, problem.queries)
        loss = distortion(predicted, problem.features, problem.weights).sum()
        if self.penalty is not None:
            loss = loss + self.penalty(latent).sum()
        (gradient,) = torch.autograd.grad(loss, latent, create_graph=True)
        return latent - self.lrs * gradient

    def _price(self, latent: Tensor) -> Tensor | float:
        """Gradient of the penalty."""
        if self.penalty is None:
            return 0.0
        at = latent.detach().requires_grad_()
        return torch.autograd.grad(self.penalty(at).sum(), at)[0]

    def _prune(self, problem: Problem, latent: Float[Tensor, "B K"]) -> Problem:
        """The problem of each row's observations with the largest errors."""
        queries, features, weights = problem.queries, problem.features, problem.weights
        with torch.no_grad():
            score = (problem.predict(latent, queries) - features).square().sum(-1)
            if weights is not None:
                score = score * weights
            keep = max(1, round(self.context * score.shape[1]))
            best: Int[Tensor, "B N"] = score.topk(keep, dim=1).indices
        rows = torch.arange(score.shape[0], device=score.device)[:, None]
        return replace(
            problem,
            queries=queries.expand(score.shape[0], -1, -1)[rows, best],
            features=features[rows, best],
            weights=None if weights is None else weights.expand_as(score)[rows, best],
        )
