"""The SIREN whose weights are the latent."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inrc.fields.field import Evaluator, Field, Layer, SineLayers
from inrc.fields.siren import initial_bound


class BayesianSiren(Field):
    """A small SIREN after a Fourier embedding; the latent holds all of its W weights.

    COMBINER (arXiv:2305.19185), sec. 3: the embedding of a coordinate x is cos(pi f x) and
    sin(pi f x), f geometric from 1 to `finest`; every matrix has the bias as its last row. The
    first W of the `latent_dim` latents are the weights; the field ignores the others.

    One map per layer turns latents h into weights: w = u (h A), u the size of a SIREN's initial
    weights, so that h is near 1. A is the identity, or learned with `mixed` (RECOMBINER,
    arXiv:2309.17182, sec. 3.1; it starts at the identity here).

    Args:
        point_dim: D.
        value_dim: F.
        spare: latents per weight that follow the weights.
        width: units of a hidden layer.
        depth: sine layers.
        embedding: size of the embedding of a point, at least 2 D.
        finest: highest frequency, in half periods per unit of a coordinate.
        w0: frequency of the sines.
        mixed: learn A.
    """

    scales: Tensor
    frequencies: Tensor

    def __init__(
        self,
        point_dim: int,
        value_dim: int,
        spare: int,
        width: int,
        depth: int,
        embedding: int = 32,
        finest: float = 16.0,
        w0: float = 30.0,
        mixed: bool = False,
    ) -> None:
        each = max(1, embedding // (2 * point_dim))
        sizes = [2 * each * point_dim, *[width] * depth, value_dim]
        self.shapes = [(rows + 1, columns) for rows, columns in pairwise(sizes)]
        self.weight_count = sum(rows * columns for rows, columns in self.shapes)
        super().__init__(point_dim, value_dim, self.weight_count * (1 + spare))
        self.hidden = max(sizes)
        self.own = max(sizes[1:])
        self.w0 = w0
        steps = torch.linspace(0.0, math.log(finest), each).exp()
        self.register_buffer("frequencies", math.pi * steps)
        bounds = [initial_bound(i, rows - 1, w0) for i, (rows, _) in enumerate(self.shapes)]
        self.register_buffer("scales", torch.tensor(bounds))
        self.mix = nn.ParameterList(
            nn.Parameter(torch.eye(rows * columns)) for rows, columns in self.shapes if mixed
        )

    @property
    def width(self) -> int:
        return self.hidden

    @property
    def row_width(self) -> int:
        return self.own

    def random(self) -> Float[Tensor, "W"]:
        """Initial latents, uniform in +-1: the weights of a SIREN (arXiv:2006.09661, sec. 3.2)."""
        return torch.rand(self.weight_count) * 2.0 - 1.0

    def condition(self, latent: Float[Tensor, "B K"]) -> Evaluator:
        layers = []
        start = 0
        for i, (rows, columns) in enumerate(self.shapes):
            part = latent[:, start : start + rows * columns]
            start += rows * columns
            if len(self.mix):
                part = part @ self.mix[i]
            last = i == len(self.shapes) - 1
            size = self.scales[i] * (1.0 if last else self.w0)
            matrix = (part * size).unflatten(1, (rows, columns))
            bias = matrix[:, -1:]
            layers.append(Layer(matrix[:, :-1], bias + 0.5 if last else bias))
        siren = SineLayers(tuple(layers))
        return lambda points: siren(self.embed(points))

    def embed(self, points: Float[Tensor, "#B M D"]) -> Float[Tensor, "#B M E"]:
        """The Fourier embedding of points."""
        angle = (points.unsqueeze(-1) * self.frequencies).flatten(2)  # B M D*n
        return torch.cat([angle.cos(), angle.sin()], -1)
