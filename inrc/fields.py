"""Neural fields: how a latent bends a shared SIREN.

A field turns a latent into the weights and biases of its layers (`bend`) and evaluates those at
points (`forward`). A weight, a bias or a set of points with one row is shared by the whole batch
and is computed once: activations grow a batch axis only at the first layer that a latent bends.
"""

import math
from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Any, NamedTuple

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

    def __init__(self, point_dim: int, value_dim: int, latent_dim: int) -> None:
        super().__init__()
        self.point_dim = point_dim
        self.value_dim = value_dim
        self.latent_dim = latent_dim

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

    def start(
        self,
        queries: Float[Tensor, "#N M D"],
        features: Float[Tensor, "N M F"],
        weights: Float[Tensor, "#N M"] | None,
    ) -> None:
        """Learn from all training signals at once what has a closed form; default: nothing.

        Queries are points here: fields that use this need a modality whose queries are points.
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


class Siren(Field):
    """A SIREN of `depth` sine layers of `width` units and a linear output around 1/2.

    sin(w0 (W h + b)), W ~ U(±1/D) in the first layer and U(±sqrt(6/width)/w0) after it, b from the
    same range as W (SIREN, arXiv:2006.09661, sec. 3.2; COIN++, arXiv:2201.12904).
    """

    def __init__(
        self, point_dim: int, value_dim: int, latent_dim: int, width: int, depth: int, w0: float
    ) -> None:
        super().__init__(point_dim, value_dim, latent_dim)
        self.hidden = width
        self.depth = depth
        self.w0 = w0
        sizes = [point_dim, *[width] * depth, value_dim]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for i, (rows, columns) in enumerate(pairwise(sizes)):
            bound = 1.0 / rows if i == 0 else math.sqrt(6.0 / rows) / w0
            self.weights.append(nn.Parameter(torch.empty(rows, columns).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(columns).uniform_(-bound, bound)))
        with torch.no_grad():  # features lie in [0, 1]
            self.biases[-1].fill_(0.5)

    @property
    def width(self) -> int:
        return self.hidden

    def straight(self) -> list[Layer]:
        """The layers that no latent has bent."""
        scale = [self.w0] * self.depth + [1.0]
        return [
            Layer((s * w).unsqueeze(0), (s * b).expand(1, 1, -1))
            for s, w, b in zip(scale, self.weights, self.biases, strict=True)
        ]


class ShiftSiren(Siren):
    """COIN++ (arXiv:2201.12904), eq. 5 and sec. 2.2: the latent shifts every sine layer.

    h' = sin(w0 (W h + b + beta)), beta = A z: one linear map to all shifts. Its bias is absorbed
    in b.
    """

    def __init__(
        self, point_dim: int, value_dim: int, latent_dim: int, width: int, depth: int, w0: float
    ) -> None:
        super().__init__(point_dim, value_dim, latent_dim, width, depth, w0)
        bound = 1.0 / math.sqrt(latent_dim)  # torch's default for a linear map, as in COIN++
        self.shift = nn.Parameter(torch.empty(latent_dim, depth * width).uniform_(-bound, bound))

    def bend(self, latent: Float[Tensor, "B K"]) -> list[Layer]:
        layers = self.straight()
        shifts = torch.mm(latent, self.w0 * self.shift).unsqueeze(1)  # B 1 depth*width
        shifted = [
            Layer(layer.weight, layer.bias + shift)
            for layer, shift in zip(layers, shifts.split(self.hidden, dim=-1), strict=False)
        ]
        return [*shifted, layers[-1]]


class GatedSiren(Siren):
    """VC-INR (arXiv:2301.09479): the latent gates the hidden weights with a low-rank matrix.

    h' = sin(w0 ((G o W) h + b)), G = 2 sigmoid(U V^T / sqrt(r)), with U, V of rank r from a small
    residual network of the latent. The factor 2 (INR-GAN, arXiv:2011.12026) makes an open gate 1:
    with a plain sigmoid every layer would be halved at the start and the signal would die out.

    U is 0 and V is of unit size at the initial latent, so that the field starts as the ungated
    SIREN while the gradient with respect to U, and through it to the latent, is alive.
    """

    def __init__(
        self,
        point_dim: int,
        value_dim: int,
        latent_dim: int,
        width: int,
        depth: int,
        w0: float,
        rank: int,
        hyper_width: int,
    ) -> None:
        super().__init__(point_dim, value_dim, latent_dim, width, depth, w0)
        self.rank = rank
        self.gated = depth - 1  # hidden-to-hidden matrices
        self.enter = nn.Linear(latent_dim, hyper_width)
        last = nn.Linear(hyper_width, hyper_width)
        self.block = nn.Sequential(nn.Linear(hyper_width, hyper_width), nn.LeakyReLU(), last)
        self.leave = nn.Linear(hyper_width, self.gated * 2 * width * rank)
        with torch.no_grad():
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            # of U: with torch's default the derivative of the field with respect to the latent is
            # so small that a step of 1e4 would be needed (largest eigenvalue of J^T J / M 7e-6
            # against 0.5 for shifts, at 64x5); it grows with the square of this
            factors = self.leave.weight.unflatten(0, (self.gated, 2, width, rank))
            factors[:, 0] *= 16.0
            start = self._factors(torch.zeros(1, latent_dim))
            target = torch.randn_like(start)
            target[:, :, 0] = 0.0
            self.leave.bias.add_((target - start).flatten())

    def _factors(self, latent: Float[Tensor, "B K"]) -> Float[Tensor, "B L 2 H r"]:
        h = nn.functional.leaky_relu(self.enter(latent))
        h = self.leave(h + self.block(h))
        return h.unflatten(-1, (self.gated, 2, self.hidden, self.rank))

    def bend(self, latent: Float[Tensor, "B K"]) -> list[Layer]:
        layers = self.straight()
        factors = self._factors(latent)
        u, v = factors.unbind(2)  # B L H r
        logits = torch.matmul(u, v.transpose(-1, -2)) / math.sqrt(self.rank)
        gates = 2.0 * torch.sigmoid(logits)  # B L H H
        bent = [
            Layer(gates[:, i] * layer.weight, layer.bias) for i, layer in enumerate(layers[1:-1])
        ]
        return [layers[0], *bent, layers[-1]]
