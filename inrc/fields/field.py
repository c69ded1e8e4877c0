"""Neural fields: how a latent bends a shared SIREN.

A field turns a latent into the weights and biases of its layers (`bend`) and evaluates those at
points (`forward`). A weight, a bias or a set of points with one row is shared by the whole batch
and is computed once: activations grow a batch axis only at the first layer that a latent bends.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Layer(NamedTuple):
    """One affine map, ready to use: the frequency w0 is already multiplied in."""

    weight: Float[Tensor, "#B I O"]
    bias: Float[Tensor, "#B 1 O"]


class _SinCos(torch.autograd.Function):
    """Sine, with the cosine kept for the derivative, and the sine again for the derivative of that.

    Both are outputs, so a second derivative through the backward pass finds them and evaluates no
    trigonometric function again.
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
    """Elementwise sine; cheap to differentiate twice, in place where nothing is differentiated."""
    if torch.is_grad_enabled() and u.requires_grad:
        return _SinCos.apply(u)[0]  # type: ignore[no-untyped-call]
    return u.sin_()


def affine(h: Float[Tensor, "#B M I"], layer: Layer) -> Float[Tensor, "#B M O"]:
    """The map h W + b; what has one row is broadcast, and stays so as long as everything does."""
    weight, bias = layer
    rows = max(h.shape[0], weight.shape[0])
    if rows == 1:
        shared = torch.mm(h[0], weight[0]).unsqueeze(0)
        return shared + bias
    if h.shape[0] == 1 and weight.shape[0] == rows:  # one product for all rows
        every = torch.mm(h[0], weight.transpose(0, 1).flatten(1))  # M B*O
        return every.unflatten(1, (rows, -1)).transpose(0, 1) + bias
    return torch.baddbmm(bias, h.expand(rows, -1, -1), weight.expand(rows, -1, -1))


class Field(nn.Module, ABC):
    """A function of points, bent by a latent."""

    closed_form: ClassVar[bool] = False
    """`start` does something, which needs observations that look at one point each."""

    def __init__(self, point_dim: int, value_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.point_dim = point_dim
        self.value_dim = value_dim
        self.latent_dim = latent_dim

    @property
    def linear(self) -> bool:
        """Values are linear in the latent: their derivative is the same for all signals."""
        return False

    @property
    @abstractmethod
    def width(self) -> int:
        """Units of the widest layer: what memory is planned by."""

    @property
    def row_width(self) -> int:
        """Units that are held per row and point; fewer than `width` if rows share a trunk."""
        return self.width

    @abstractmethod
    def bend(self, latent: Float[Tensor, "B K"]) -> list[Layer]:
        """The layers of every signal."""

    def penalty(self, latent: Float[Tensor, "B K"]) -> Float[Tensor, "B"]:
        """What a latent costs beside its distortion, in training; default: nothing."""
        return latent.new_zeros(len(latent))

    def start(
        self,
        queries: Float[Tensor, "#N M D"],
        features: Float[Tensor, "N M F"],
        weights: Float[Tensor, "#N M"] | None,
    ) -> None:
        """Learn from all training signals at once what has a closed form; default: nothing.

        Queries are points here, and features are values: see `closed_form`.
        """

    def forward(
        self, points: Float[Tensor, "#B M D"], layers: list[Layer]
    ) -> Float[Tensor, "B M F"]:
        """Values of the field at the points."""
        return affine(self.features(points, layers), layers[-1])

    def features(
        self, points: Float[Tensor, "#B M D"], layers: list[Layer]
    ) -> Float[Tensor, "#B M H"]:
        """Activations of the last hidden layer."""
        h = points
        for layer in layers[:-1]:
            h = sine(affine(h, layer))
        return h
