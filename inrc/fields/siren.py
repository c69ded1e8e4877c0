"""The plain SIREN, shared by fields that bend it."""

import math
from itertools import pairwise

import torch
from torch import nn

from inrc.fields.field import Field, Layer


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
