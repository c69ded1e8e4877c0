"""The SIREN whose weights are the latent."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inrc.fields.field import Field, Layer


class BayesianSiren(Field):
    """A small SIREN after a Fourier embedding, all of whose W weights come from the latent.

    COMBINER (arXiv:2305.19185), sec. 3: the embedding of a coordinate x is cos(pi f x) and
    sin(pi f x), f geometric from 1 to `finest`; every matrix has the bias as its last row. The
    first W latents are the weights; what follows (`latent_dim` in all) the field does not look at.

    The latent's h become weights by one map per layer: w = u (h A), u the size of a SIREN's initial
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
        w0: of the sines.
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
        self.register_buffer("scales", torch.tensor([_scale(i, r - 1, w0) for i, (r, _) in
                                                     enumerate(self.shapes)]))  # fmt: skip
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
        """Weights (as latents) of a SIREN's start: uniform in +-1 (arXiv:2006.09661, sec. 3.2)."""
        return torch.rand(self.weight_count) * 2.0 - 1.0

    def bend(self, latent: Float[Tensor, "B K"]) -> list[Layer]:
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
        return layers

    def features(
        self, points: Float[Tensor, "#B M D"], layers: list[Layer]
    ) -> Float[Tensor, "#B M H"]:
        angle = (points.unsqueeze(-1) * self.frequencies).flatten(2)  # B M D*n
        return super().features(torch.cat([angle.cos(), angle.sin()], -1), layers)


def _scale(layer: int, inputs: int, w0: float) -> float:
    """Bound of a SIREN's initial weights (arXiv:2006.09661, sec. 3.2)."""
    return 1.0 / inputs if layer == 0 else math.sqrt(6.0 / inputs) / w0
