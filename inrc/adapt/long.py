"""Many steps of one optimiser: rows that share no parameters are fitted side by side."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from inrc.adapt.adapter import Adapter
from inrc.adapt.problem import Indices, Problem, distortion_and_grad, distortion_value
from inrc.adapt.soap import Soap

WARM_UP_SHARE = 0.02
"""Share of the steps in which the rate grows: the first second moments are estimates of few."""
NUM_EVALUATIONS = 12
"""Evaluations of all observations, spread over the second half of the steps (COIN's code keeps the
best weights from half of its iterations on)."""
MIN_PROGRESS = 1e-4
"""Relative fall of a row's distortion that counts as progress."""


class SoapFit(Adapter):
    """Many steps of SOAP from one start; the latents of a row are parameters of their own.

    COIN (arXiv:2103.03123), sec. 3: 50,000 steps of Adam at 2e-4 on all observations. SOAP is
    better than Adam at equal seconds (measured, 5 to 40 s of a core: photographs 0.1 to 0.4 dB,
    CIFAR-10 0.1 to 0.5, signed distances 1.7 and 2.4). A step uses a random `subset` of the
    observations, the same for all rows. The rate rises, then falls to zero along a cosine. The
    result of a row is the best of all evaluations on all of its observations. A row whose
    distortion is not finite restarts from its best.

    The result has no graph and depends on no learned parameter. `steps`, `rate` and `subset`
    matter to an encoder only.

    Args:
        start: latents of all rows before the first step.
        shapes: rows and columns of the matrices that make up a latent, one after another.
        steps: number of SOAP steps.
        lr: highest learning rate.
        subset: observations of a step; None uses all.
        patience: evaluations without progress of any row that end the run early.
        constant: use a constant rate, as COIN does.
        seed: seed of the random subsets.
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
        # not persistent: it follows from the settings
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
    def solve(
        self, problem: Problem, steps: int, create_graph: bool = False, rows: Indices | None = None
    ) -> Float[Tensor, "B K"]:
        run = Soap(self.start, self.shapes, len(problem.features))
        best = _Best(problem)
        best.evaluate(run)
        every = max(1, steps // (2 * NUM_EVALUATIONS))
        subsets = _Subsets(problem, self.subset, self.seed)
        for step in range(steps):
            _, gradient = distortion_and_grad(subsets.next(), run.latent)
            run.step(gradient, self._rate(step, steps))
            done = step + 1
            if done == steps or (done >= steps // 2 and done % every == 0):
                best.evaluate(run)
                if best.stalled >= self.patience:
                    break
            if self.watch is not None:
                self.watch(done, steps)
        return best.latent

    def _rate(self, step: int, total: int) -> float:
        """Linear up, cosine down."""
        if self.constant:
            return self.lr
        warm = max(1.0, WARM_UP_SHARE * total)
        return self.lr * min(
            (step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * (step + 1) / (total + 1))
        )


class _Best:
    """The best latents of every row so far, by its distortion over all observations."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.loss = problem.features.new_full((len(problem.features),), math.inf)
        self.latent = problem.features.new_zeros(0)
        self.stalled = 0

    def evaluate(self, run: Soap) -> None:
        """Keep the better latents of every row; restart rows that are not finite."""
        loss = distortion_value(self.problem, run.latent)
        if len(self.latent) == 0:
            self.latent = run.latent.clone()
        better = loss < self.loss
        gain = self.loss - loss > MIN_PROGRESS * self.loss
        self.stalled = 0 if bool((better & gain).any()) else self.stalled + 1
        self.latent = torch.where(better[:, None], run.latent, self.latent)
        self.loss = torch.where(better, loss, self.loss)
        diverged = ~torch.isfinite(loss)
        if bool(diverged.any()):
            run.restart(diverged, self.latent)


class _Subsets:
    """Random subsets of a problem's observations; each is used once before any is used again."""

    def __init__(self, problem: Problem, subset: int | None, seed: int) -> None:
        self.problem = problem
        self.size = min(problem.observations, subset or problem.observations)
        self.generator = torch.Generator().manual_seed(seed)
        self.unused = torch.zeros(0, dtype=torch.long)

    def next(self) -> Problem:
        """The problem of the next step."""
        if self.size == self.problem.observations:
            return self.problem
        if len(self.unused) < self.size:
            self.unused = torch.randperm(self.problem.observations, generator=self.generator)
        index, self.unused = self.unused[: self.size], self.unused[self.size :]
        return self.problem.at(index.to(self.problem.features.device))
