"""The problem that an adapter solves, and the distortion of a solution in bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

Predict = Callable[[Tensor, Tensor], Tensor]
"""(latents B K, queries #B M Q) -> features B M C."""
Indices = Int[Tensor, "B"]
"""Numbers of training signals, one for each row."""


@dataclass(frozen=True)
class Problem:
    """Find latents whose predictions at the queries are close to the features.

    Weights multiply squared errors; None stands for ones. Functions that need no graph hold
    `chunk` observations in memory at once.
    """

    predict: Predict
    queries: Float[Tensor, "#B M Q"]
    features: Float[Tensor, "B M C"]
    weights: Float[Tensor, "#B M"] | None
    chunk: int

    @property
    def observations(self) -> int:
        """M."""
        return self.features.shape[1]

    def at(self, index: slice | Tensor) -> "Problem":
        """The problem of some of the observations."""
        return replace(
            self,
            queries=self.queries[:, index],
            features=self.features[:, index],
            weights=None if self.weights is None else self.weights[:, index],
        )

    def rows(self, start: int, size: int) -> "Problem":
        """The problem of `size` rows from `start` on."""
        return replace(
            self,
            queries=rows_of(self.queries, start, size),
            features=self.features[start : start + size],
            weights=None if self.weights is None else rows_of(self.weights, start, size),
        )

    def repeated(self, count: int) -> "Problem":
        """The problem of all rows, `count` times one after the other."""
        queries, weights = self.queries, self.weights
        return replace(
            self,
            queries=queries if len(queries) == 1 else queries.repeat(count, 1, 1),
            features=self.features.repeat(count, 1, 1),
            weights=weights if weights is None or len(weights) == 1 else weights.repeat(count, 1),
        )

    def errors(self, latent: Float[Tensor, "B K"]) -> Iterator[Float[Tensor, "B"]]:
        """The distortion of every row in terms to be added, one for each chunk."""
        weights = self.weights
        if weights is None:
            weights = self.features.new_ones(1, self.observations)
        share = weights / weights.sum(1, keepdim=True).clamp_min(1e-12) / self.features.shape[2]
        for start in range(0, self.observations, self.chunk):
            part = slice(start, start + self.chunk)
            error = self.predict(latent, self.queries[:, part]) - self.features[:, part]
            yield (share[:, part] * error.square().sum(-1)).sum(1)


def rows_of(tensor: Float[Tensor, "#B *S"], start: int, size: int) -> Float[Tensor, "#N *S"]:
    """Rows of a tensor; a single row, which all rows share, stays as it is."""
    return tensor if tensor.shape[0] == 1 else tensor[start : start + size]


def distortion(
    predicted: Float[Tensor, "B M C"],
    features: Float[Tensor, "B M C"],
    weights: Float[Tensor, "#B M"] | None,
) -> Float[Tensor, "B"]:
    """Mean squared error of every row; with weights, their weighted mean over the observations."""
    error = (predicted - features).square()
    if weights is None:
        return error.mean(dim=(1, 2))
    error = error.mean(dim=2)
    return (weights * error).sum(1) / weights.expand_as(error).sum(1).clamp_min(1e-12)


def distortion_and_grad(
    problem: Problem, latent: Float[Tensor, "B K"]
) -> tuple[Float[Tensor, "B"], Float[Tensor, "B K"]]:
    """Each row's distortion and its gradient, without a graph."""
    latent = latent.detach().requires_grad_()
    loss, gradient = latent.new_zeros(len(latent)), torch.zeros_like(latent)
    with torch.enable_grad():
        for rows in problem.errors(latent):
            gradient += torch.autograd.grad(rows.sum(), latent)[0]
            loss += rows.detach()
    return loss, gradient.detach()


@torch.no_grad()
def distortion_value(problem: Problem, latent: Float[Tensor, "B K"]) -> Float[Tensor, "B"]:
    """Each row's distortion, as `descent` has it, without its gradient."""
    loss = latent.new_zeros(len(latent))
    for rows in problem.errors(latent):
        loss += rows
    return loss


class Distortion(torch.autograd.Function):
    """Each row's distortion as a function of its latent, in bounded memory.

    The gradient is computed together with the value, chunk by chunk, if a graph is recorded.
    """

    @staticmethod
    def forward(ctx: Any, latent: Tensor, problem: Problem) -> Tensor:
        if not ctx.needs_input_grad[0]:
            return distortion_value(problem, latent)
        loss, gradient = distortion_and_grad(problem, latent)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        (gradient,) = ctx.saved_tensors
        return grad[:, None] * gradient, None
