"""The interface of an adapter: how the latent of a signal is found."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Predict = Callable[[Tensor, Tensor], Tensor]
"""(latents B K, queries #B M Q) -> features B M C."""


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


class Adapter(nn.Module, ABC):
    """Finds the latents of signals.

    `steps` is the default number of steps. With `create_graph` the result may be differentiable
    with respect to everything that `predict` depends on.
    """

    steps: int
    watch: Callable[[int, int], None] | None = None
    """Called with the steps done and all of them by adapters that take their time."""

    @contextmanager
    def watched(
        self, report: Callable[[float], None] | None, start: float, share: float
    ) -> Iterator[None]:
        """Within the block, report the progress of this share of a work of 1."""
        if report is not None:
            self.watch = lambda done, total: report(start + share * done / total)
        try:
            yield
        finally:
            self.watch = None

    def budget(self, effort: float) -> int:
        """Steps for an effort, as a share of the usual; the same for all where more are no use."""
        return self.steps

    @property
    def window(self) -> int | None:
        """Observations that a step looks at; None if it looks at all: what memory is planned by."""
        return None

    @abstractmethod
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
        """Latents of the rows; without a graph, `chunk` observations are held in memory at once.

        In training `rows` are the numbers of the training signals, for adapters that remember.
        """


def distortion_and_grad(
    predict: Predict,
    latent: Float[Tensor, "B K"],
    queries: Float[Tensor, "#B M Q"],
    features: Float[Tensor, "B M C"],
    weights: Float[Tensor, "#B M"] | None,
    chunk: int,
) -> tuple[Float[Tensor, "B"], Float[Tensor, "B K"]]:
    """Each row's distortion and its gradient, summed over chunks of its observations."""
    if weights is None:
        weights = features.new_ones(1, features.shape[1])
    share = weights / weights.sum(1, keepdim=True).clamp_min(1e-12) / features.shape[2]
    latent = latent.detach().requires_grad_()
    loss, total = features.new_zeros(len(latent)), torch.zeros_like(latent)
    with torch.enable_grad():
        for start in range(0, features.shape[1], chunk):
            part = slice(start, start + chunk)
            error = (predict(latent, queries[:, part]) - features[:, part]).square().sum(-1)
            rows = (share[:, part] * error).sum(1)
            (gradient,) = torch.autograd.grad(rows.sum(), latent)
            loss += rows.detach()
            total += gradient
    return loss, total.detach()


@torch.no_grad()
def distortion_value(
    predict: Predict,
    latent: Float[Tensor, "B K"],
    queries: Float[Tensor, "#B M Q"],
    features: Float[Tensor, "B M C"],
    weights: Float[Tensor, "#B M"] | None,
    chunk: int,
) -> Float[Tensor, "B"]:
    """Each row's distortion over all observations, as `descent` has it, without its gradient."""
    if weights is None:
        weights = features.new_ones(1, features.shape[1])
    share = weights / weights.sum(1, keepdim=True).clamp_min(1e-12) / features.shape[2]
    loss = features.new_zeros(len(latent))
    for start in range(0, features.shape[1], chunk):
        part = slice(start, start + chunk)
        error = (predict(latent, queries[:, part]) - features[:, part]).square().sum(-1)
        loss += (share[:, part] * error).sum(1)
    return loss


class Distortion(torch.autograd.Function):
    """Each row's distortion as a function of its latent, in bounded memory.

    The gradient is found together with the value, chunk by chunk, so no graph outlives its chunk;
    where nobody asks for it, it is not found.
    """

    @staticmethod
    def forward(
        ctx: Any,
        latent: Tensor,
        predict: Predict,
        queries: Tensor,
        features: Tensor,
        weights: Tensor | None,
        chunk: int,
    ) -> Tensor:
        if not ctx.needs_input_grad[0]:
            return distortion_value(predict, latent, queries, features, weights, chunk)
        loss, gradient = distortion_and_grad(predict, latent, queries, features, weights, chunk)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        (gradient,) = ctx.saved_tensors
        return grad[:, None] * gradient, None, None, None, None, None
