"""The methods as rows of one table: which field, which adapter, which bottlenecks."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inrc.adapt import Adapter, GaussNewton, MetaSGD
from inrc.basis import BasisField
from inrc.entropy import Bottleneck, LearnedBottleneck, UniformBottleneck
from inrc.errors import ModelError
from inrc.fields import Field, GatedSiren, ShiftSiren

CHUNK = 1 << 20
"""Activations of one layer that are held at once outside training: 4 MiB of float32, which stay in
the cache of a core (measured; larger chunks cost a third of the decoding speed at width 512)."""


ENCODE_CHUNK = 1 << 22
"""The same for encoding, where the activations of every layer are kept for the backward pass."""


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
    """What one model is made of: a field, an adapter and a ladder of bottlenecks."""

    def __init__(
        self, field: Field, adapter: Adapter, ladder: list[Bottleneck], observer: Observer
    ) -> None:
        super().__init__()
        self.field = field
        self.adapter = adapter
        self.ladder = nn.ModuleList(ladder)
        self.observer = observer

    @property
    def rungs(self) -> list[Bottleneck]:
        """The ladder, with the type of what it holds."""
        return [self.rung(number) for number in range(len(self.ladder))]

    def rung(self, number: int) -> Bottleneck:
        """A bottleneck of the ladder, 0 the one with the lowest rate."""
        rung = self.ladder[number]
        assert isinstance(rung, Bottleneck)
        return rung

    def predict(
        self, latent: Float[Tensor, "B K"], queries: Float[Tensor, "#B M Q"]
    ) -> Float[Tensor, "B M C"]:
        """What a signal with this latent answers at the queries."""
        points = self.observer.points(queries)  # B M S D
        values = self.field(points.flatten(1, 2), self.field.bend(latent))
        values = values.unflatten(1, points.shape[1:3])  # B M S F
        return self.observer.observe(values, queries.expand(values.shape[0], -1, -1))

    def encode(
        self,
        queries: Float[Tensor, "#B M Q"],
        features: Float[Tensor, "B M C"],
        weights: Float[Tensor, "#B M"] | None,
        steps: int | None = None,
    ) -> Float[Tensor, "B K"]:
        """Latents of signals, without a graph, in chunks of bounded memory."""
        size, points = self._plan(ENCODE_CHUNK, queries, features.shape[0])
        latents = [
            self.adapter(
                self.predict,
                _rows(queries, start, size),
                features[start : start + size],
                None if weights is None else _rows(weights, start, size),
                steps,
                chunk=points,
            )
            for start in range(0, features.shape[0], size)
        ]
        return torch.cat(latents)

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

    def _plan(self, units: int, queries: Tensor, rows: int) -> tuple[int, int]:
        """How many rows and queries at a time keep a layer within so many activations."""
        samples = self.observer.points(queries[:1, :1]).shape[2]
        own, shared = self.field.row_width * samples, self.field.width * samples
        # a trunk that rows share is one layer without a graph; what rows have of their own is kept
        columns = max(1, min(queries.shape[1], units // own, 8 * units // shared))
        return max(1, min(rows, units // (own * columns))), columns

    def metric(
        self,
        latents: Float[Tensor, "N K"],
        queries: Float[Tensor, "#N M Q"],
        weights: Float[Tensor, "#N M"] | None,
        probes: int = 4,
    ) -> Float[Tensor, "K K"]:
        """What an error of a latent does to its signal: mse ~ d^T H d.

        H is the mean over signals of J^T W J / (M C), J the derivative of the features with respect
        to the latent, estimated with random probes v ~ N(0, I): E[(J^T v)(J^T v)^T] = J^T J.
        """
        gradients = []
        generator = torch.Generator().manual_seed(0)  # the same on every process
        with torch.enable_grad():
            for start in range(0, latents.shape[0], 16):
                part = latents[start : start + 16].detach().requires_grad_()
                y = self.predict(part, _rows(queries, start, 16))
                scale = torch.ones(1, y.shape[1], device=y.device)
                if weights is not None:
                    scale = _rows(weights, start, 16)
                scale = (scale / scale.sum(1, keepdim=True) / y.shape[2]).sqrt()[:, :, None]
                for probe in range(probes):
                    v = torch.randn(y.shape, generator=generator).to(y) * scale
                    last = probe == probes - 1
                    (g,) = torch.autograd.grad((y * v).sum(), part, retain_graph=not last)
                    gradients.append(g)
        g = torch.cat(gradients)
        return g.T @ g / len(g)


def _rows(tensor: Tensor, start: int, size: int) -> Tensor:
    return tensor if tensor.shape[0] == 1 else tensor[start : start + size]


@dataclass
class Method(ABC):
    """A row of the table. Its fields are its settings, plain values all."""

    name: ClassVar[str]

    @abstractmethod
    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """Make the three parts."""

    def settings(self) -> dict[str, Any]:
        """Arguments that make an equal method."""
        return asdict(self)

    @classmethod
    def named(cls, name: str, settings: dict[str, Any]) -> "Method":
        """The method of a model's card. Raises ModelError if it is unknown."""
        found = {method.name: method for method in Method.__subclasses__()}
        if name not in found:
            raise ModelError(f"unknown method {name!r}; known: {', '.join(sorted(found))}")
        try:
            return found[name](**settings)
        except TypeError as error:
            raise ModelError(f"method {name}: {error}") from error


@dataclass
class COINPP(Method):
    """COIN++ (arXiv:2201.12904): shift modulation, CAVIA steps, uniform bins with histograms.

    The defaults keep the paper's structure with what trains fast: Meta-SGD from 0.1 instead of a
    fixed 1e-2, and tables per latent dimension instead of one for all.
    """

    name = "coinpp"
    latent_dim: int = 64
    width: int = 64
    depth: int = 5
    w0: float = 30.0
    steps: int = 3
    rate: float = 0.1
    learn_rate: bool = True
    learn_start: bool = False
    context: float = 1.0
    recompute: bool = False
    bits: list[int] = field(default_factory=lambda: [3, 4, 5, 6])
    deviations: float = 3.0
    per_dim: bool = True

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """See the table."""
        return Network(
            ShiftSiren(point_dim, value_dim, self.latent_dim, self.width, self.depth, self.w0),
            MetaSGD(
                self.latent_dim, self.steps, self.rate, self.learn_rate, self.learn_start,
                self.context, self.recompute,
            ),
            [
                UniformBottleneck(self.latent_dim, b, self.deviations, self.per_dim)
                for b in self.bits
            ],
            observer,
        )  # fmt: skip


@dataclass
class VCINR(Method):
    """VC-INR (arXiv:2301.09479): low-rank soft gates, Meta-SGD, learned transform and density.

    Unlike the paper: the hypernetwork's U rows start 16 times larger and Meta-SGD's steps at 30,
    without which gates stay shut for thousands of steps; g_a and g_s start at the Karhunen-Loeve
    transform in the signal's metric and not at the identity, with steps in closed form; symbols
    are rounded by their cost; one model has a ladder of weights; sizes are those of a CPU.
    """

    name = "vcinr"
    latent_dim: int = 128
    width: int = 64
    depth: int = 5
    w0: float = 30.0
    rank: int = 4
    hyper_width: int = 128
    steps: int = 3
    rate: float = 30.0
    context: float = 1.0
    recompute: bool = False
    weights: list[float] = field(default_factory=lambda: [1e2, 1e3, 1e4, 1e5])
    hidden: int = 128

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """See the table."""
        return Network(
            GatedSiren(
                point_dim, value_dim, self.latent_dim, self.width, self.depth, self.w0, self.rank,
                self.hyper_width,
            ),
            MetaSGD(
                self.latent_dim, self.steps, self.rate, True, True, self.context, self.recompute
            ),
            [LearnedBottleneck(self.latent_dim, w, self.hidden) for w in self.weights],
            observer,
        )  # fmt: skip


@dataclass
class Basis(Method):
    """A continuous basis: closed-form start, Gauss-Newton encoding, learned bottleneck. Ours.

    The linear part is the Karhunen-Loeve transform of the training signals as functions; a
    network bends it. Only that network is trained.
    """

    name = "basis"
    latent_dim: int = 128
    features: int = 1024
    span: int = 384
    w0: float = 80.0
    curve: int = 512
    steps: int = 4
    rate: float = 0.35
    weights: list[float] = field(default_factory=lambda: [1e2, 1e3, 1e4, 1e5])
    hidden: int = 128

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        """See the table."""
        return Network(
            BasisField(
                point_dim,
                value_dim,
                self.latent_dim,
                self.features,
                self.span,
                self.w0,
                self.curve,
            ),
            GaussNewton(self.latent_dim, self.steps, self.rate),
            [LearnedBottleneck(self.latent_dim, w, self.hidden) for w in self.weights],
            observer,
        )
