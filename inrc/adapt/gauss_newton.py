"""Gauss-Newton steps: least squares where the field is linear in its latent."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.adapt.adapter import Adapter, Predict, distortion_and_grad

DONE = 1e-9
"""A row ends when a whole step would lower its distortion by less than this share: far less than
rounding its latent to symbols raises it by."""
DONE_IN_TRAINING = 1e-13
"""The same in training, where gradients of all quality levels ask for all that float32 knows of a latent."""
SEEN = 64
"""Points at which a field is asked whether it is still the same."""
NOISE = 1e-6
"""Relative rise of a distortion that is rounding in float32 and no reason to turn back."""


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
        steps: steps at most, the first one included; a row that has nothing to gain ends earlier.
        step_size: size of those after the first, relative to a full step.
        damping: eigenvalues below this share of the largest one count as zero.
    """

    def __init__(
        self, latent_dim: int, steps: int = 4, step_size: float = 0.35, damping: float = 1e-6
    ) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.steps = steps
        self.step_size = step_size
        self.damping = damping
        self._known: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

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
        chunk = chunk or features.shape[1]
        if weights is None:
            weights = features.new_ones(1, features.shape[1])
        inverse = self._matrix(predict, queries, weights, chunk, features.shape[2])
        seen = (queries, features, weights, chunk)
        latent = features.new_zeros(features.shape[0], self.latent_dim)
        loss, gradient = distortion_and_grad(predict, latent, *seen)
        step_size = torch.full_like(loss, self.step_size)[:, None]
        done = DONE_IN_TRAINING if self.training else DONE
        for step in range(self.steps if steps is None else steps):
            whole = gradient @ inverse
            # what a row does depends on that row alone, whatever others are in its batch
            active = 0.5 * (gradient * whole).sum(1) > done * loss
            if not bool(active.any()):
                break
            trial = latent - whole * (step_size if step else 1.0)
            found, slope = distortion_and_grad(predict, trial, *seen)
            good = (found <= (1.0 + NOISE) * loss) & active
            better = good[:, None]
            latent = torch.where(better, trial, latent)
            gradient = torch.where(better, slope, gradient)
            loss = torch.where(good, found, loss)
            # a row that a step makes worse stays where it is and takes a shorter one
            step_size = torch.where(better, step_size, step_size / 4)
        return latent

    @torch.no_grad()
    def _matrix(
        self, predict: Predict, queries: Tensor, weights: Tensor, chunk: int, channels: int
    ) -> Tensor:
        """`_inverse`, kept for signals on the same grid as the last ones; not while a field learns.

        That the field is the same, too, is seen by what two latents answer at some points.
        """
        if self.training:
            self._known = None
            return self._inverse(predict, queries, weights, chunk, channels)
        queries, weights = queries[:1], weights.mean(0, keepdim=True)
        line = torch.linspace(0.0, 1.0, self.latent_dim, device=queries.device)
        answer = predict(torch.stack([torch.zeros_like(line), line]), queries[:, :SEEN])
        now = (queries, weights, answer)
        if self._known is not None and all(
            a.shape == b.shape and a.device == b.device and torch.equal(a, b)
            for a, b in zip(self._known[:3], now, strict=True)
        ):
            return self._known[3]
        inverse = self._inverse(predict, queries, weights, chunk, channels)
        self._known = (*(each.clone() for each in now), inverse)  # type: ignore[assignment]
        return inverse

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
