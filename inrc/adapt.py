"""Adapters: how the latent of a signal is found."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

STALLED = 1e-7
"""Relative fall of the distortion below which a search for a latent ends: float32 sees no less."""

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
    ) -> Float[Tensor, "B K"]:
        """Latents of the rows; without a graph, `chunk` observations are held in memory at once."""


class MetaSGD(Adapter):
    """A few plain gradient steps from a learned start with learned step sizes per latent.

    phi <- phi - alpha o grad of the row's distortion (CAVIA, arXiv:1810.03642; Meta-SGD,
    arXiv:1707.09835; COIN++, arXiv:2201.12904, eq. 8). With `create_graph` the result is
    differentiable through all steps (second order).

    Args:
        latent_dim: size of the latent.
        steps: gradient steps.
        rate: initial step size; with `learn_rate` every latent has its own and learns it.
        learn_rate: learn the step sizes.
        learn_start: learn the initial latent (elsewhere it stays 0).
        context: share of the observations used by a step while training: the ones with the largest
            error (context pruning, GradNCP, arXiv:2302.00617, with the output's part of its score).
        recompute: forget the activations of a step and compute them again when they are needed.
    """

    def __init__(
        self,
        latent_dim: int,
        steps: int = 3,
        rate: float = 0.1,
        learn_rate: bool = True,
        learn_start: bool = True,
        context: float = 1.0,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.steps = steps
        self.context = context
        self.recompute = recompute
        self.start = nn.Parameter(torch.zeros(latent_dim), requires_grad=learn_start)
        self.rates = nn.Parameter(torch.full((latent_dim,), rate), requires_grad=learn_rate)

    def forward(
        self,
        predict: Predict,
        queries: Float[Tensor, "#B M Q"],
        features: Float[Tensor, "B M C"],
        weights: Float[Tensor, "#B M"] | None = None,
        steps: int | None = None,
        create_graph: bool = False,
        chunk: int | None = None,
    ) -> Float[Tensor, "B K"]:
        """Latents of the rows; without a graph, `chunk` observations are held in memory at once."""
        latent = self.start.expand(features.shape[0], -1)
        if not latent.requires_grad:  # a start that is not learned
            latent = latent.detach().requires_grad_()
        with torch.enable_grad():
            for _ in range(self.steps if steps is None else steps):
                if not create_graph:
                    _, gradient = _gradient(
                        predict, latent, queries, features, weights, chunk or features.shape[1]
                    )
                    latent = latent.detach() - self.rates * gradient
                elif self.recompute:
                    latent = checkpoint(
                        self._step, predict, latent, queries, features, weights,
                        use_reentrant=False,
                    )  # fmt: skip
                else:
                    latent = self._step(predict, latent, queries, features, weights)
        return latent if create_graph else latent.detach()

    def _step(
        self,
        predict: Predict,
        latent: Tensor,
        queries: Tensor,
        features: Tensor,
        weights: Tensor | None,
    ) -> Tensor:
        if self.context < 1.0:
            queries, features, weights = self._prune(predict, latent, queries, features, weights)
        loss = distortion(predict(latent, queries), features, weights).sum()
        (gradient,) = torch.autograd.grad(loss, latent, create_graph=True)
        return latent - self.rates * gradient

    def _prune(
        self,
        predict: Predict,
        latent: Tensor,
        queries: Tensor,
        features: Tensor,
        weights: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Keep the observations with the largest error, per row."""
        with torch.no_grad():
            score = (predict(latent, queries) - features).square().sum(-1)
            if weights is not None:
                score = score * weights
            keep = max(1, round(self.context * score.shape[1]))
            best: Int[Tensor, "B N"] = score.topk(keep, dim=1).indices
        rows = torch.arange(score.shape[0], device=score.device)[:, None]
        return (
            queries.expand(score.shape[0], -1, -1)[rows, best],
            features[rows, best],
            None if weights is None else weights.expand_as(score)[rows, best],
        )


class GaussNewton(Adapter):
    """Gauss-Newton steps whose matrix is found once, at the start, for all rows.

    phi <- phi - r P grad, P = (2 J^T W J / C)^-1 with J the derivative of the features with respect
    to the latent at 0, mean over the observations. Where the field is linear in the latent the
    first step, r = 1, is the weighted least-squares solution; after it r = `rate` keeps a field
    that is bent from overshooting.

    The result carries no graph. At the optimum of the latent none is needed: the gradient of the
    distortion with respect to the field at a fixed latent is the whole gradient (variable
    projection, Golub and Pereyra 1973).

    Args:
        latent_dim: size of the latent.
        steps: steps at most, the first one included; rows whose distortion no longer falls end it.
        rate: size of those after the first, relative to a full step.
        damping: eigenvalues below this share of the largest one count as zero.
    """

    def __init__(
        self, latent_dim: int, steps: int = 4, rate: float = 0.35, damping: float = 1e-6
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.steps = steps
        self.rate = rate
        self.damping = damping

    def forward(
        self,
        predict: Predict,
        queries: Float[Tensor, "#B M Q"],
        features: Float[Tensor, "B M C"],
        weights: Float[Tensor, "#B M"] | None = None,
        steps: int | None = None,
        create_graph: bool = False,
        chunk: int | None = None,
    ) -> Float[Tensor, "B K"]:
        """Latents of the rows, never with a graph."""
        chunk = chunk or features.shape[1]
        if weights is None:
            weights = features.new_ones(1, features.shape[1])
        inverse = self._inverse(predict, queries, weights, chunk, features.shape[2])
        seen = (queries, features, weights, chunk)
        latent = features.new_zeros(features.shape[0], self.latent_dim)
        loss, gradient = _gradient(predict, latent, *seen)
        rate = torch.full_like(loss, self.rate)[:, None]
        for step in range(self.steps if steps is None else steps):
            move = (gradient @ inverse) * (rate if step else 1.0)
            found, slope = _gradient(predict, latent - move, *seen)
            # a row that a step makes worse stays where it is and takes a shorter one
            better = (found < loss)[:, None]
            if not bool(((loss - found) > STALLED * loss).any()):
                return torch.where(better, latent - move, latent)
            latent = torch.where(better, latent - move, latent)
            gradient = torch.where(better, slope, gradient)
            loss = torch.minimum(loss, found)
            rate = torch.where(better, rate, rate / 4)
        return latent

    @torch.no_grad()
    def _inverse(
        self, predict: Predict, queries: Tensor, weights: Tensor, chunk: int, channels: int
    ) -> Tensor:
        """(2 J^T W J / C)^-1 at a latent of 0; rows with own queries or weights share their mean.

        J is taken by differences, exact where the field is linear.
        """
        queries, weights = queries[:1], weights.mean(0, keepdim=True)
        share = weights / weights.sum().clamp_min(1e-12)
        size = 1e-2  # of the differences; features are near 1, and so are the axes of a basis
        probes = torch.cat([queries.new_zeros(1, self.latent_dim),
                            size * torch.eye(self.latent_dim, device=queries.device)])  # fmt: skip
        total = queries.new_zeros(self.latent_dim, self.latent_dim)
        # a quarter GiB of float32 for the features of all probes
        part = max(1, min(chunk, (1 << 26) // ((self.latent_dim + 1) * channels)))
        for start in range(0, queries.shape[1], part):
            y = predict(probes, queries[:, start : start + part])
            slope = (y[1:] - y[:1]) / size  # K M C
            weighted = slope * share[:, start : start + part, None]
            total += weighted.flatten(1) @ slope.flatten(1).T * (2.0 / y.shape[2])
        value, vector = torch.linalg.eigh(total.double())
        # what the signal does not feel stays where it is
        inverse = torch.where(value > self.damping * value[-1], 1.0 / value, 0.0)
        return ((vector * inverse) @ vector.T).to(total)


def _gradient(
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
