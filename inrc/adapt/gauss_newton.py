"""Gauss-Newton steps: least squares where the field is linear in its latent."""

import torch
from jaxtyping import Float
from torch import Tensor

from inrc.adapt.adapter import Adapter
from inrc.adapt.problem import Indices, Problem, distortion_and_grad

MIN_GAIN = 1e-9
"""A row ends when a full step would lower its distortion by less than this share: far less than
rounding its latent to symbols raises it."""
MIN_TRAINING_GAIN = 1e-13
"""The same in training, where gradients of bottlenecks need latents to the precision of float32."""
NUM_PROBES = 64
"""Points at which two fields are compared."""
DAMPING = 1e-6
"""Eigenvalues below this share of the largest one count as zero."""
FLOAT32_NOISE = 1e-6
"""Relative rise of a distortion that rounding in float32 explains."""


class GaussNewton(Adapter):
    """Gauss-Newton steps with one matrix for all rows, computed at a latent of 0.

    phi <- phi - r P grad, P = (2 J^T W J / C)^-1 with J the derivative of the features with respect
    to the latent at 0, mean over the observations. Where the field is linear in the latent the
    first step, r = 1, is the weighted least-squares solution; the later ones, r = `rate`, do not
    overshoot in a nonlinear field.

    The result has no graph. At the optimum of the latent none is needed: the gradient of the
    distortion with respect to the field at a fixed latent is the whole gradient (variable
    projection, Golub and Pereyra 1973).

    Args:
        latent_dim: size of the latent.
        steps: maximum number of steps, with the first one.
        step_size: size of the steps after the first, relative to a full step.
    """

    def __init__(self, latent_dim: int, steps: int = 4, step_size: float = 0.35) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.steps = steps
        self.step_size = step_size
        self._known: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def solve(
        self, problem: Problem, steps: int, create_graph: bool = False, rows: Indices | None = None
    ) -> Float[Tensor, "B K"]:
        inverse = self._matrix(problem)
        latent = problem.features.new_zeros(len(problem.features), self.latent_dim)
        loss, gradient = distortion_and_grad(problem, latent)
        step_size = torch.full_like(loss, self.step_size)[:, None]
        min_gain = MIN_TRAINING_GAIN if self.training else MIN_GAIN
        for step in range(steps):
            full_step = gradient @ inverse
            # a row depends on itself alone, not on the others in its batch
            active = 0.5 * (gradient * full_step).sum(1) > min_gain * loss
            if not bool(active.any()):
                break
            trial = latent - full_step * (step_size if step else 1.0)
            trial_loss, slope = distortion_and_grad(problem, trial)
            good = (trial_loss <= (1.0 + FLOAT32_NOISE) * loss) & active
            better = good[:, None]
            latent = torch.where(better, trial, latent)
            gradient = torch.where(better, slope, gradient)
            loss = torch.where(good, trial_loss, loss)
            # after a step that raises its distortion a row stays and takes a shorter one
            step_size = torch.where(better, step_size, step_size / 4)
        return latent

    @torch.no_grad()
    def _matrix(self, problem: Problem) -> Tensor:
        """`_inverse`, cached for signals on the same grid; not while a field learns.

        The field is recognised by its values for two latents at some points.
        """
        weights = problem.weights
        if weights is None:
            weights = problem.features.new_ones(1, problem.observations)
        # rows with queries or weights of their own share one matrix
        queries, weights = problem.queries[:1], weights.mean(0, keepdim=True)
        if self.training:
            self._known = None
            return self._inverse(problem, queries, weights)
        line = torch.linspace(0.0, 1.0, self.latent_dim, device=queries.device)
        latents = torch.stack([torch.zeros_like(line), line])
        values = problem.predict(latents, queries[:, :NUM_PROBES])
        now, known = (queries, weights, values), self._known
        if known is not None and all(
            a.shape == b.shape and a.device == b.device and torch.equal(a, b)
            for a, b in zip(known[:3], now, strict=True)
        ):
            return known[3]
        inverse = self._inverse(problem, queries, weights)
        self._known = (*(each.clone() for each in now), inverse)  # type: ignore[assignment]
        return inverse

    @torch.no_grad()
    def _inverse(
        self, problem: Problem, queries: Float[Tensor, "1 M Q"], weights: Float[Tensor, "1 M"]
    ) -> Float[Tensor, "K K"]:
        """(2 J^T W J / C)^-1 at a latent of 0; J by differences, exact if the field is linear."""
        share = weights / weights.sum().clamp_min(1e-12)
        size = 1e-2  # of the differences: features and the axes of a basis are near 1
        probes = torch.cat([queries.new_zeros(1, self.latent_dim),
                            size * torch.eye(self.latent_dim, device=queries.device)])  # fmt: skip
        total = queries.new_zeros(self.latent_dim, self.latent_dim)
        # the features of all probes take at most a quarter GiB of float32
        rows = (self.latent_dim + 1) * problem.features.shape[2]
        part = max(1, min(problem.chunk, (1 << 26) // rows))
        for start in range(0, queries.shape[1], part):
            y = problem.predict(probes, queries[:, start : start + part])
            slope = (y[1:] - y[:1]) / size  # K M C
            weighted = slope * share[:, start : start + part, None]
            total += weighted.flatten(1) @ slope.flatten(1).T * (2.0 / y.shape[2])
        value, vector = torch.linalg.eigh(total.double())
        # directions that do not change the signal stay 0
        inverse = torch.where(value > DAMPING * value[-1], 1.0 / value, 0.0)
        return ((vector * inverse) @ vector.T).to(total)
