"""The interface of a neural field: a function of points, conditioned on a latent.

`Field.condition` turns latents into an `Evaluator`, which is called with points. A weight, a bias
or a set of points with one row is shared by the whole batch and is computed once: activations have
a batch axis only from the first layer on that depends on the latent.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

Evaluator = Callable[[Tensor], Tensor]
"""Points #B M D to the values B M F of the conditioned field."""


class Layer(NamedTuple):
    """One affine map. The frequency w0 is part of the weight and the bias."""

    weight: Float[Tensor, "#B I O"]
    bias: Float[Tensor, "#B 1 O"]


class _SinCos(torch.autograd.Function):
    """Sine and cosine, both saved, so that no derivative evaluates a trigonometric function.

    Both are outputs: the backward pass is differentiable in terms of them.
    """

    @staticmethod
    def forward(ctx: Any, u: Tensor) -> tuple[Tensor, Tensor]:
        s, c = torch.sin(u), torch.cos(u)
        ctx.save_for_backward(s, c)
        ctx.set_materialize_grads(False)
        return s, c

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Tensor | None:  # type: ignore[override]
        gs, gc = grads
        s, c = ctx.saved_tensors
        if gc is None:
            return None if gs is None else gs * c
        return -gc * s if gs is None else torch.addcmul(gs * c, gc, s, value=-1.0)


def sine(u: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Elementwise sine; cheap to differentiate twice, in place if no gradient is recorded."""
    if torch.is_grad_enabled() and u.requires_grad:
        return _SinCos.apply(u)[0]  # type: ignore[no-untyped-call]
    return u.sin_()


def affine(h: Float[Tensor, "#B M I"], layer: Layer) -> Float[Tensor, "#B M O"]:
    """The map h W + b. Arguments with one row are broadcast; the result has one row if all do."""
    weight, bias = layer
    rows = max(h.shape[0], weight.shape[0])
    if rows == 1:
        shared = torch.mm(h[0], weight[0]).unsqueeze(0)
        return shared + bias
    if h.shape[0] == 1 and weight.shape[0] == rows:  # one product for all rows
        product = torch.mm(h[0], weight.transpose(0, 1).flatten(1))  # M B*O
        return product.unflatten(1, (rows, -1)).transpose(0, 1) + bias
    return torch.baddbmm(bias, h.expand(rows, -1, -1), weight.expand(rows, -1, -1))


@dataclass(frozen=True)
class SineLayers:
    """An `Evaluator`: sine layers, then an affine one, each shared or with a row per signal."""

    layers: tuple[Layer, ...]

    def __call__(self, points: Float[Tensor, "#B M D"]) -> Float[Tensor, "#B M F"]:
        """Values at the points."""
        return affine(self.hidden(points), self.layers[-1])

    def hidden(self, points: Float[Tensor, "#B M D"]) -> Float[Tensor, "#B M H"]:
        """Activations of the last sine layer."""
        h = points
        for layer in self.layers[:-1]:
            h = sine(affine(h, layer))
        return h


class Field(nn.Module, ABC):
    """A function of points, conditioned on a latent."""

    closed_form: ClassVar[bool] = False
    """Whether `start` fits the field; it needs observations of one point each."""

    def __init__(self, point_dim: int, value_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.point_dim = point_dim
        self.value_dim = value_dim
        self.latent_dim = latent_dim

    @property
    def linear(self) -> bool:
        """Whether values are affine in the latent: their derivative is the same for all signals."""
        return False

    @property
    @abstractmethod
    def width(self) -> int:
        """Units of the widest layer; the memory of an evaluation is planned with it."""

    @property
    def row_width(self) -> int:
        """Units held per row and point; fewer than `width` if rows share a trunk."""
        return self.width

    @abstractmethod
    def condition(self, latent: Float[Tensor, "B K"]) -> Evaluator:
        """The field of every latent, to be evaluated at any points."""

    def penalty(self, latent: Float[Tensor, "B K"]) -> Float[Tensor, "B"]:
        """Term added to the distortion of a latent in training; 0 by default."""
        return latent.new_zeros(len(latent))

    def start(
        self,
        queries: Float[Tensor, "#N M D"],
        features: Float[Tensor, "N M F"],
        weights: Float[Tensor, "#N M"] | None,
    ) -> None:
        """Fit the part of the field that has a closed form to all training signals.

        Does nothing by default. Queries are points and features are values: see `closed_form`.
        """
