"""The method film: feature-wise linear modulation of a SIREN."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inrc.fields import Layer, SineLayers, Siren
from inrc.methods import Network, Observer
from inrc.methods.families import LearnedBottleneckMethod, MetaSGDMethod


class FilmSiren(Siren):
    """A SIREN with h' = sin(w0 ((1 + g) (W h + b) + s)), g and s linear in the latent.

    Scales and shifts are those of FiLM (arXiv:1709.07871, eq. 2), around the identity.
    """

    def __init__(
        self,
        point_dim: int,
        value_dim: int,
        latent_dim: int,
        width: int,
        depth: int,
        w0: float,
        gain: float,
    ) -> None:
        super().__init__(point_dim, value_dim, latent_dim, width, depth, w0)
        bound = gain / latent_dim**0.5
        size = (latent_dim, depth * width)
        self.scale = nn.Parameter(torch.empty(size).uniform_(-bound, bound))
        self.shift = nn.Parameter(torch.empty(size).uniform_(-bound, bound))

    def condition(self, latent: Float[Tensor, "B K"]) -> SineLayers:
        *hidden, last = self.shared_layers()
        scales = (1 + latent @ self.scale).unsqueeze(1).split(self.hidden, dim=-1)
        shifts = (self.w0 * latent @ self.shift).unsqueeze(1).split(self.hidden, dim=-1)
        modulated = [
            Layer(layer.weight * scale, layer.bias * scale + shift)
            for layer, scale, shift in zip(hidden, scales, shifts, strict=True)
        ]
        return SineLayers((*modulated, last))


@dataclass
class Film(LearnedBottleneckMethod, MetaSGDMethod):
    """FiLM (arXiv:1709.07871): the latent scales and shifts every sine layer.

    Args:
        gain: scale of the map from the latent to scales and shifts at the start of training.
    """

    name = "film"
    gain: float = 1.0

    def build(self, point_dim: int, value_dim: int, observer: Observer) -> Network:
        return Network(
            FilmSiren(
                point_dim, value_dim, self.latent_dim, self.width, self.depth, self.w0, self.gain
            ),
            self.adapter(learn_start=True),
            self.bottlenecks(),
            observer,
        )
