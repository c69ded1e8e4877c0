"""The network of a model: a field, an adapter and one bottleneck per quality level."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from inrc.adapt import Adapter, Distortion, Problem, rows_of
from inrc.entropy import Bottleneck, PatchPermutation, groups
from inrc.fields import Field

CHUNK = 1 << 20
"""Maximum activations of one layer in decoding: 4 MiB of float32, which fit the cache of a core
(measured: larger chunks lose a third of the decoding speed at width 512)."""
ENCODE_CHUNK = 1 << 22
"""Maximum activations of one layer in encoding, which stores those of all layers."""


@runtime_checkable
class Observer(Protocol):
    """The tensor functions of a modality: queries to points, values to features."""

    def points(self, queries: Tensor) -> Tensor:
        """Queries B M Q to points B M S D."""
        ...

    def observe(self, values: Tensor, queries: Tensor) -> Tensor:
        """Values B M S F at those points to features B M C."""
        ...


class Network(nn.Module):
    """A field, an adapter and one bottleneck per quality level."""

    def __init__(
        self, field: Field, adapter: Adapter, bottlenecks: list[Bottleneck], observer: Observer
    ) -> None:
        super().__init__()
        self.field = field
        self.adapter = adapter
        self.bottlenecks = nn.ModuleList(bottlenecks)
        self.observer = observer

    @property
    def quality_levels(self) -> list[Bottleneck]:
        """The bottlenecks of all quality levels."""
        return [self.bottleneck(number) for number in range(len(self.bottlenecks))]

    def bottleneck(self, number: int) -> Bottleneck:
        """The bottleneck of a quality level; 0 has the lowest rate."""
        bottleneck = self.bottlenecks[number]
        assert isinstance(bottleneck, Bottleneck)
        return bottleneck

    def predict(
        self, latent: Float[Tensor, "B K"], queries: Float[Tensor, "#B M Q"]
    ) -> Float[Tensor, "B M C"]:
        """Features of the signals with these latents at the queries."""
        points = self.observer.points(queries)  # B M S D
        values = self.field.condition(latent)(points.flatten(1, 2))
        values = values.unflatten(1, points.shape[1:3])  # B M S F
        return self.observer.observe(values, queries.expand(values.shape[0], -1, -1))

    def fit_latents(
        self,
        queries: Float[Tensor, "#B M Q"],
        features: Float[Tensor, "B M C"],
        weights: Float[Tensor, "#B M"] | None,
        steps: int | None = None,
    ) -> Float[Tensor, "B K"]:
        """Latents of signals, without a graph, in chunks of bounded memory."""
        size, points = self._plan(ENCODE_CHUNK, queries, features.shape[0], self.adapter.window)
        latents = []
        steps = self.adapter.steps if steps is None else steps
        with _encoding(self):
            problem = self._problem(queries, features, weights, points)
            for start in range(0, features.shape[0], size):
                latents.append(self.adapter.solve(problem.rows(start, size), steps))
            return torch.cat(latents)

    def encode(
        self,
        quality: int,
        queries: Float[Tensor, "#B M Q"],
        features: Float[Tensor, "B M C"],
        weights: Float[Tensor, "#B M"] | None,
        steps: int | None = None,
        watch: Callable[[float], None] | None = None,
        effort: float = 1.0,
        parts: Sequence[int] | None = None,
    ) -> Int[Tensor, "B L"]:
        """Symbols of signals for a quality level, in chunks of bounded memory.

        Args:
            quality: quality level.
            queries: queries of the observations.
            features: features of the observations.
            weights: weights of squared errors; None stands for ones.
            steps: steps of the adapter; by default they follow from the effort.
            watch: called with the share of the work that is done.
            effort: time of the search, relative to the default.
            parts: number of rows of each signal; by default every row is a signal.
        """
        bottleneck = self.bottleneck(quality)
        steps = self.adapter.budget(effort) if steps is None else steps
        sizes = groups(parts or [1] * len(features), bottleneck.max_group)
        size, points = self._plan(
            ENCODE_CHUNK, queries, features.shape[0], self.adapter.window, max(sizes)
        )
        symbols = []
        with _encoding(self):
            problem = self._problem(queries, features, weights, points)
            for start, inside in _chunks(sizes, size):
                part = problem.rows(start, sum(inside))
                share = len(part.features) / len(features)
                with self.adapter.watched(watch, start / len(features), share):
                    latents = self.adapter.solve(part, steps)
                permutation = bottleneck.permutation(inside)
                distort = _distortion(part, permutation)
                symbols.append(bottleneck.search(permutation.apply(latents), distort, effort))
                if watch is not None:
                    watch(start / len(features) + share)
            return torch.cat(symbols)

    def _problem(
        self, queries: Tensor, features: Tensor, weights: Tensor | None, chunk: int
    ) -> Problem:
        """The problem of all rows, in tensors that autograd can save."""
        known = weights if weights is None else _recordable(weights)
        return Problem(self.predict, _recordable(queries), _recordable(features), known, chunk)

    @torch.no_grad()
    def decode(
        self, latent: Float[Tensor, "B K"], queries: Float[Tensor, "#B M Q"]
    ) -> Float[Tensor, "B M C"]:
        """`predict` without a graph, in chunks of rows and queries of bounded memory."""
        rows, columns = self._plan(CHUNK, queries, latent.shape[0])
        out = []
        for start in range(0, latent.shape[0], rows):
            asked = rows_of(queries, start, rows)
            part = latent[start : start + rows]
            answers = [
                self.predict(part, asked[:, at : at + columns])
                for at in range(0, queries.shape[1], columns)
            ]
            out.append(answers[0] if len(answers) == 1 else torch.cat(answers, 1))
        return out[0] if len(out) == 1 else torch.cat(out)

    def _plan(
        self, units: int, queries: Tensor, rows: int, window: int | None = None, min_rows: int = 1
    ) -> tuple[int, int]:
        """Numbers of rows and queries for which a layer has at most `units` activations."""
        samples = self.observer.points(queries[:1, :1]).shape[2]
        own, shared = self.field.row_width * samples, self.field.width * samples
        # a trunk that rows share is one layer without a graph; activations of each row are stored
        most = min(queries.shape[1], window or queries.shape[1])
        columns = max(1, min(most, units // (own * min_rows), 8 * units // shared))
        return max(min_rows, min(rows, units // (own * columns))), columns


@contextmanager
def _encoding(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, with gradients available even under `torch.inference_mode`."""
    training, gradients = network.training, torch.is_grad_enabled()
    network.eval()
    try:
        with torch.inference_mode(False), torch.set_grad_enabled(gradients):
            yield
    finally:
        network.train(training)


def _recordable(tensor: Tensor) -> Tensor:
    """The tensor, or a copy of an inference tensor, which autograd cannot save."""
    return tensor.clone() if tensor.is_inference() else tensor


def _distortion(problem: Problem, permutation: PatchPermutation) -> Callable[[Tensor], Tensor]:
    """Latents in slots to the distortion of each row, differentiable, a chunk at a time."""

    def distort(latent: Tensor) -> Tensor:
        return Distortion.apply(permutation.invert(latent), problem)  # type: ignore[no-untyped-call]

    return distort


def _chunks(sizes: Sequence[int], max_rows: int) -> Iterator[tuple[int, list[int]]]:
    """Groups of rows in chunks of at most `max_rows` rows: where each starts, and its groups."""
    start, inside = 0, list[int]()
    for size in sizes:
        if inside and sum(inside) + size > max_rows:
            yield start, inside
            start, inside = start + sum(inside), []
        inside.append(size)
    yield start, inside
