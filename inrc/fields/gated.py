"""Low-rank soft gates: the latent scales the hidden weights."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inrc.fields.field import Layer, SineLayers
from inrc.fields.siren import Siren


class GatedSiren(Siren):
    """VC-INR (arXiv:2301.09479): the latent gates the hidden weights with a low-rank matrix.

    h' = sin(w0 ((G o W) h + b)), G = 2 sigmoid(U V^T / sqrt(r)), with U, V of rank r from a small
    residual network of the latent. The factor 2 (INR-GAN, arXiv:2011.12026) makes an open gate 1:
    a plain sigmoid would halve every layer at the start.

    U is 0 and V has unit variance at the initial latent: the field starts as the ungated SIREN,
    and the gradient with respect to U and the latent is not 0.
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
            # rows of U: with torch's default the derivative of the field with respect to the latent
            # needs steps of 1e4 (largest eigenvalue of J^T J / M 7e-6 against 0.5 for shifts, at
            # 64x5); it grows with the square of this factor
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

    def condition(self, latent: Float[Tensor, "B K"]) -> SineLayers:
        first, *hidden, last = self.shared_layers()
        factors = self._factors(latent)
        u, v = factors.unbind(2)  # B L H r
        logits = torch.matmul(u, v.transpose(-1, -2)) / math.sqrt(self.rank)
        gates = 2.0 * torch.sigmoid(logits)  # B L H H
        gated = [Layer(gates[:, i] * layer.weight, layer.bias) for i, layer in enumerate(hidden)]
        return SineLayers((first, *gated, last))
