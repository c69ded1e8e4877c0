"""One model's three parts together: field, adapter and one bottleneck per quality level."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from inrc.adapt import Adapter, Distortion
from inrc.entropy import Bottleneck, PatchPermutation, groups
from inrc.fields import Field

CHUNK = 1 << 20
"""Activations of one layer that are held at once outside training: 4 MiB of float32, which stay in
the cache of a core (measured; larger chunks cost a third of the decoding speed at width 512)."""


ENCODE_CHUNK = 1 << 22
"""The same for encoding, where the activations of every layer are kept for the backward pass."""
JACOBIANS = 16
"""Signals at which the derivative of a field with respect to its latent is looked at."""
PROBED = 1 << 25
"""Points of the field that this takes, about: seconds on a CPU."""


@runtime_checkable
class Observer(Protocol):
    """How a query looks at the field: the two tensor functions of a modality."""

    def points(self, queries: Tensor) -> Tensor:
        """Queries B M Q to points B M S D."""
        ...

    def observe(self, values: Tensor, queries: Tensor) -> Tensor:
        """Values B M S F at those points to features B M C."""
        ...


class Network(nn.Module):
    """What one model is made of: a field, an adapter and one bottleneck per quality level."""

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
        """The quality levels, with the type of what it holds."""
        return [self.bottleneck(number) for number in range(len(self.bottlenecks))]

    def bottleneck(self, number: int) -> Bottleneck:
        """A bottleneck of the quality levels, 0 the one with the lowest rate."""
        quality = self.bottlenecks[number]
        assert isinstance(quality, Bottleneck)
        return quality

    def predict(
        self, latent: Float[Tensor, "B K"], queries: Float[Tensor, "#B M Q"]
    ) -> Float[Tensor, "B M C"]:
        """What a signal with this latent answers at the queries."""
        points = self.observer.points(queries)  # B M S D
        values = self.field(points.flatten(1, 2), self.field.bend(latent))
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
        with _quiet(self):
            for start in range(0, features.shape[0], size):
                part = _part(start, size, queries, features, weights)
                latents.append(self.adapter(self.predict, *part, steps, chunk=points))
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
        """Symbols of signals for a quality level, as a file has them, in chunks of bounded memory.

        `effort` is the time that a search takes, as a share of the usual; `steps` are those of the
        adapter, in the place of what the effort says. `watch` is called with the share of the work
        that is done. `parts` are the rows of each signal; without, every row is one.
        """
        bottleneck = self.bottleneck(quality)
        steps = self.adapter.budget(effort) if steps is None else steps
        sizes = groups(parts or [1] * len(features), bottleneck.max_group)
        size, points = self._plan(
            ENCODE_CHUNK, queries, features.shape[0], self.adapter.window, max(sizes)
        )
        symbols = []
        with _quiet(self):
            for start, inside in _chunks(sizes, size):
                part = _part(start, sum(inside), queries, features, weights)
                share = len(part[1]) / len(features)
                with self.adapter.watched(watch, start / len(features), share):
                    latents = self.adapter(self.predict, *part, steps, chunk=points)
                permutation = bottleneck.permutation(inside)
                distort = self._distortion(points, permutation, *part)
                symbols.append(bottleneck.search(permutation.apply(latents), distort, effort))
                if watch is not None:
                    watch(start / len(features) + share)
        return torch.cat(symbols)

    def _distortion(
        self,
        chunk: int,
        permutation: PatchPermutation,
        queries: Tensor,
        features: Tensor,
        weights: Tensor | None,
    ) -> Callable[[Tensor], Tensor]:
        """Latents in slots to the distortion of each row, with a graph, a chunk at a time."""

        def distort(latent: Tensor) -> Tensor:
            return Distortion.apply(  # type: ignore[no-untyped-call]
                permutation.invert(latent), self.predict, queries, features, weights, chunk
            )

        return distort

    @torch.no_grad()
    def decode(
        self, latent: Float[Tensor, "B K"], queries: Float[Tensor, "#B M Q"]
    ) -> Float[Tensor, "B M C"]:
        """`predict` in chunks of rows and queries, so that activations stay small."""
        rows, columns = self._plan(CHUNK, queries, latent.shape[0])
        out = []
        for start in range(0, latent.shape[0], rows):
            asked = _rows(queries, start, rows)
            part = latent[start : start + rows]
            answers = [
                self.predict(part, asked[:, at : at + columns])
                for at in range(0, queries.shape[1], columns)
            ]
            out.append(answers[0] if len(answers) == 1 else torch.cat(answers, 1))
        return out[0] if len(out) == 1 else torch.cat(out)

    def _plan(
        self, units: int, queries: Tensor, rows: int, window: int | None = None, least: int = 1
    ) -> tuple[int, int]:
        """How many rows (`least` or more) and queries keep a layer within so many activations."""
        samples = self.observer.points(queries[:1, :1]).shape[2]
        own, shared = self.field.row_width * samples, self.field.width * samples
        # a trunk that rows share is one layer without a graph; what rows have of their own is kept
        most = min(queries.shape[1], window or queries.shape[1])
        columns = max(1, min(most, units // (own * least), 8 * units // shared))
        return max(least, min(rows, units // (own * columns))), columns

    @torch.no_grad()
    def metric(
        self,
        latents: Float[Tensor, "N K"],
        queries: Float[Tensor, "#N M Q"],
        weights: Float[Tensor, "#N M"] | None,
    ) -> Float[Tensor, "K K"]:
        """What an error of a latent does to its signal: mse ~ d^T H d.

        H is the mean over signals of J^T W J / (M C), J the derivative of the features with respect
        to the latent, by central differences at JACOBIANS of the signals. (Random probes of J^T W J
        would need many times K of them: the eigenvalues of their mean spread by the factors
        (1 +- sqrt(K / probes))^2, Marchenko and Pastur 1967.)
        """
        size = latents.shape[1]
        # far above what float32 rounds off, far below what bends a field
        spread = latents.square().mean(0).sqrt()  # K
        length = 0.02 * spread.clamp_min(0.1 * float(spread.max())).clamp_min(0.05)
        alike = self.field.linear and len(queries) == 1 and (weights is None or len(weights) == 1)
        many = 1 if alike else JACOBIANS  # one says it all, and can look at many more points
        some = torch.linspace(0, len(latents) - 1, min(many, len(latents))).long()
        samples = self.observer.points(queries[:1, :1]).shape[2]
        afford = PROBED // (2 * size * samples * len(some))
        count = min(queries.shape[1], max(afford, 4 * size))
        seen = torch.linspace(0, queries.shape[1] - 1, count).long().to(queries.device)
        total = latents.new_zeros(size, size, dtype=torch.float64)
        move = torch.diag(length)
        for row in some.tolist():
            probes = torch.cat([latents[row] + move, latents[row] - move])  # 2K K
            asked = _rows(queries, row, 1)[:, seen]
            known = asked.new_ones(1, count) if weights is None else _rows(weights, row, 1)[:, seen]
            share = known / known.sum().clamp_min(1e-12)
            part = max(1, CHUNK // (2 * size * samples))
            for start in range(0, count, part):
                y = self.predict(probes, asked[:, start : start + part])  # 2K m C
                slope = (y[:size] - y[size:]) / (2 * length[:, None, None])
                left = (slope * share[:, start : start + part, None]).flatten(1)
                total += (left @ slope.flatten(1).T).double() / y.shape[2]
        return (total / len(some)).to(latents)


@contextmanager
def _quiet(network: nn.Module) -> Iterator[None]:
    """Nothing is drawn at random within the block, as it may be in training."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def _part(
    start: int, size: int, queries: Tensor, features: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    return (
        _rows(queries, start, size),
        features[start : start + size],
        None if weights is None else _rows(weights, start, size),
    )


def _chunks(sizes: Sequence[int], most: int) -> Iterator[tuple[int, list[int]]]:
    """Groups of rows in chunks of `most` rows at most: where each starts, and its groups."""
    start, inside = 0, list[int]()
    for size in sizes:
        if inside and sum(inside) + size > most:
            yield start, inside
            start, inside = start + sum(inside), []
        inside.append(size)
    yield start, inside


def _rows(tensor: Tensor, start: int, size: int) -> Tensor:
    return tensor if tensor.shape[0] == 1 else tensor[start : start + size]
