"""The interface of an adapter, which computes the latents of signals."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jaxtyping import Float, Int
from torch import Tensor, nn

from inrc.adapt.problem import Indices, Predict, Problem


class Adapter(nn.Module, ABC):
    """Computes the latents of signals.

    `steps` is the default number of steps.
    """

    steps: int
    watch: Callable[[int, int], None] | None = None
    """Called with the number of steps done and their total by adapters of many steps."""

    @contextmanager
    def watched(
        self, report: Callable[[float], None] | None, start: float, share: float
    ) -> Iterator[None]:
        """Within the block, report progress from `start` to `start + share`."""
        if report is not None:
            self.watch = lambda done, total: report(start + share * done / total)
        try:
            yield
        finally:
            self.watch = None

    def budget(self, effort: float) -> int:
        """Steps for an effort, 1 by default; constant for adapters that gain nothing from more."""
        return self.steps

    @property
    def window(self) -> int | None:
        """Observations of one step, for planning memory; None if a step uses all of them."""
        return None

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
        """Latents of the rows.

        Args:
            predict: latents and queries to features.
            queries: of the observations.
            features: what is observed.
            weights: of squared errors; None stands for ones.
            steps: instead of the default.
            create_graph: the result may be differentiable with respect to everything that `predict`
                depends on.
            chunk: observations held in memory at once without a graph; all by default.
            rows: in training, the numbers of the training signals, for adapters with a memory.
        """
        problem = Problem(predict, queries, features, weights, chunk or features.shape[1])
        return self.solve(problem, self.steps if steps is None else steps, create_graph, rows)

    @abstractmethod
    def solve(
        self, problem: Problem, steps: int, create_graph: bool = False, rows: Indices | None = None
    ) -> Float[Tensor, "B K"]:
        """Latents of the rows of a problem; arguments as in `forward`."""
