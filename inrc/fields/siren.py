"""The plain SIREN, base of the fields that modulate it."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inrc.fields.field import Field, Layer, SineLayers


def initial_bound(layer: int, inputs: int, w0: float) -> float:
    """Bound of the uniform initial weights of a layer (SIREN, arXiv:2006.09661, sec. 3.2)."""
    return 1.0 / inputs if layer == 0 else math.sqrt(6.0 / inputs) / w0


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
            bound = initial_bound(i, rows, w0)
            self.weights.append(nn.Parameter(torch.empty(rows, columns).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(columns).uniform_(-bound, bound)))
        with torch.no_grad():  # features lie in [0, 1]
            self.biases[-1].fill_(0.5)

    @property
    def width(self) -> int:
        return self.hidden

    def shared_layers(self) -> list[Layer]:
        """The layers without modulation, one row each."""
        scale = [self.w0] * self.depth + [1.0]
        return [
            Layer((s * w).unsqueeze(0), (s * b).expand(1, 1, -1))
            for s, w, b in zip(scale, self.weights, self.biases, strict=True)
        ]

    def shifted(self, shifts: Float[Tensor, "B L"]) -> SineLayers:
        """The layers with these shifts added to the biases of the sine layers, w0 included."""
        *hidden, last = self.shared_layers()
        rows = shifts.unsqueeze(1).split(self.hidden, dim=-1)
        shifted = [
            Layer(layer.weight, layer.bias + shift)
            for layer, shift in zip(hidden, rows, strict=True)
        ]
        return SineLayers((*shifted, last))
