"""Shift modulation: the latent moves the phase of every sine."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inrc.fields.field import SineLayers
from inrc.fields.siren import Siren


class ShiftSiren(Siren):
    """COIN++ (arXiv:2201.12904), eq. 5 and sec. 2.2: the latent shifts every sine layer.

    h' = sin(w0 (W h + b + beta)), beta = A z: one linear map to all shifts. Its bias is part of b.
    """

    def __init__(
        self, point_dim: int, value_dim: int, latent_dim: int, width: int, depth: int, w0: float
    ) -> None:
        super().__init__(point_dim, value_dim, latent_dim, width, depth, w0)
        bound = 1.0 / math.sqrt(latent_dim)  # torch's default for a linear map, as in COIN++
        self.shift = nn.Parameter(torch.empty(latent_dim, depth * width).uniform_(-bound, bound))

    def condition(self, latent: Float[Tensor, "B K"]) -> SineLayers:
        return self.shifted(torch.mm(latent, self.w0 * self.shift))
