"""A long run of one optimiser: the latents of rows that share nothing are fitted side by side."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.adapt.adapter import Adapter, Predict, distortion_and_grad, distortion_value
from inrc.adapt.soap import Soap

WARM = 0.02
"""Share of the steps in which the rate grows: second moments are unsound at first."""
CHECKS = 12
"""Looks at the whole of every row, spread over the second half of the steps (COIN's code keeps the
best weights from half of its iterations on)."""
STALLED = 1e-4
"""Relative fall of a row's distortion that counts as progress."""


class SoapFit(Adapter):
    """Many steps of SOAP from one start, a row's latents being parameters of its own.

    COIN (arXiv:2103.03123), sec. 3: 50,000 steps of Adam at 2e-4 on all observations. SOAP is
    ahead of Adam at equal seconds, least where gradients are noisy (measured, 5 to 40 s of a core:
    photographs 0.1 to 0.4 dB, CIFAR-10 0.1 to 0.5, signed distances 1.7 and 2.4). Steps may look
    at a random `subset` of them, the same for all rows, and the rate rises, then falls to zero
    along a cosine. What a row keeps is the best of all looks at the whole of it. A row whose steps
    went astray (a distortion that is not finite) goes on from its best.

    The result carries no graph and depends on nothing that is learned. `steps`, `rate` and
    `subset` matter to an encoder only.

    Args:
        start: latents of all rows before the first step.
        shapes: rows and columns of the matrices that make up a latent, one after another.
        steps: of SOAP.
        lr: highest learning rate.
        subset: observations of a step; None takes all.
        patience: looks without progress of any row that end the run early.
        constant: keep the rate as it is, as COIN does.
        seed: of the choice of observations.
    """

    start: Tensor

    def __init__(
        self,
        start: Float[Tensor, "K"],
        shapes: Sequence[tuple[int, int]],
        steps: int = 2000,
        lr: float = 2e-3,
        subset: int | None = 4096,
        patience: int = 4,
        constant: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        # not in the model: whoever builds the same adapter has the same start
        self.register_buffer("start", start, persistent=False)
        self.shapes = list(shapes)
        self.steps = steps
        self.lr = lr
        self.subset = subset
        self.patience = patience
        self.constant = constant
        self.seed = seed

    def budget(self, effort: float) -> int:
        return max(1, round(self.steps * effort))

    @property
    def window(self) -> int | None:
        return self.subset

    @torch.no_grad()
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
        total = self.steps if steps is None else steps
        chunk = chunk or features.shape[1]
        run = Soap(self.start, self.shapes, len(features))
        best = _Best(predict, queries, features, weights, chunk)
        best.look(run)
        every = max(1, total // (2 * CHECKS))
        picks = _Picks(features.shape[1], self.subset, self.seed)
        for step in range(total):
            seen = picks.next(queries, features, weights)
            _, gradient = distortion_and_grad(predict, run.latent, *seen, chunk)
            run.step(gradient, self._rate(step, total))
            done = step + 1
            if done == total or (done >= total // 2 and done % every == 0):
                best.look(run)
                if best.stalled >= self.patience:
                    break
            if self.watch is not None:
                self.watch(done, total)
        return best.latent

    def _rate(self, step: int, total: int) -> float:
        """Linear up, cosine down."""
        if self.constant:
            return self.lr
        warm = max(1.0, WARM * total)
        return self.lr * min(
            (step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * (step + 1) / (total + 1))
        )


class _Best:
    """The best latents of every row so far, by its distortion over all observations."""

    def __init__(
        self,
        predict: Predict,
        queries: Tensor,
        features: Tensor,
        weights: Tensor | None,
        chunk: int,
    ) -> None:
        self.seen = (predict, queries, features, weights, chunk)
        self.loss = features.new_full((len(features),), math.inf)
        self.latent = features.new_zeros(0)
        self.stalled = 0

    def look(self, run: Soap) -> None:
        """Compare, keep what is better, and send astray rows back."""
        predict, queries, features, weights, chunk = self.seen
        loss = distortion_value(predict, run.latent, queries, features, weights, chunk)
        if len(self.latent) == 0:
            self.latent = run.latent.clone()
        better = loss < self.loss
        gain = self.loss - loss > STALLED * self.loss
        self.stalled = 0 if bool((better & gain).any()) else self.stalled + 1
        self.latent = torch.where(better[:, None], run.latent, self.latent)
        self.loss = torch.where(better, loss, self.loss)
        astray = ~torch.isfinite(loss)
        if bool(astray.any()):
            run.restart(astray, self.latent)


class _Picks:
    """Observations of one step after another, each once before any comes again."""

    def __init__(self, observations: int, subset: int | None, seed: int) -> None:
        self.observations = observations
        self.size = min(observations, subset or observations)
        self.generator = torch.Generator().manual_seed(seed)
        self.left = torch.zeros(0, dtype=torch.long)

    def next(
        self, queries: Tensor, features: Tensor, weights: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """What the next step looks at."""
        if self.size == self.observations:
            return queries, features, weights
        if len(self.left) < self.size:
            self.left = torch.randperm(self.observations, generator=self.generator)
        pick, self.left = self.left[: self.size], self.left[self.size :]
        pick = pick.to(features.device)
        return (
            queries[:, pick],
            features[:, pick],
            None if weights is None else weights[:, pick],
        )
