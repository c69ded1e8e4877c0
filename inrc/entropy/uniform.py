"""The quantiser of COIN++: uniform bins within a few standard deviations, histogram tables."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from inrc.entropy.bottleneck import Distort
from inrc.entropy.coder import levels, tabulate
from inrc.entropy.rounding import FIRST_STEP, Rounding

STEP_SHARE = 0.2
"""First step of a search as a share of a standard deviation, half a bin at 4 bits."""
MIN_DISTORTION = 0.01
"""Harm of rounding that is told from none, as a share of a row's distortion."""


class UniformBottleneck(Rounding):
    """COIN++ (arXiv:2201.12904), sec. 2.4: 2^bits levels within mean +- deviations * std.

    Args:
        latent_dim: size of the latent.
        bits: levels, as a power of two.
        deviations: half width of the range; COIN++ takes 3 up to 5 bits.
        per_dim: a range and a histogram for every dimension; False is the paper's single one.
    """

    lo: Tensor
    hi: Tensor

    def __init__(
        self, latent_dim: int, bits: int, deviations: float = 3.0, per_dim: bool = True
    ) -> None:
        super().__init__(latent_dim)
        self.levels = levels(bits)
        self.deviations = deviations
        self.per_dim = per_dim
        self.lmbda = 0.0
        self.register_buffer("lo", torch.full((latent_dim,), -1.0))
        self.register_buffer("hi", torch.full((latent_dim,), 1.0))

    def calibrate(
        self, latents: Float[Tensor, "N K"], metric: Float[Tensor, "J J"], observations: int
    ) -> None:
        dim = 0 if self.per_dim else (0, 1)
        mean, std = latents.mean(dim), latents.std(dim, correction=0)
        # a range that float32 can tell from a point, also where all latents are equal
        std = std.maximum(1e-6 * mean.abs() + 1e-12)
        self.lo.copy_((mean - self.deviations * std).expand_as(self.lo))
        self.hi.copy_((mean + self.deviations * std).expand_as(self.hi))
        self.tabulate(latents)

    def analyse(self, latents: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        unit = (latents.clamp(self.lo, self.hi) - self.lo) / (self.hi - self.lo)
        return unit * (self.levels - 1)

    def synthesise(self, numbers: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        return self.lo + numbers / (self.levels - 1) * (self.hi - self.lo)

    @property
    def step_size(self) -> float:
        """Fine bins are more of them: a fifth of a standard deviation."""
        return max(FIRST_STEP, STEP_SHARE * (self.levels - 1) / (2.0 * self.deviations))

    def lmbdas(self, numbers: Float[Tensor, "B K"], distort: Distort) -> Float[Tensor, "B"]:
        """What bins as wide as these say: D ~ 2^(-2 R / K), so a unit is worth K / (2 D ln 2).

        D is what rounding to them does to a row.
        """
        with torch.no_grad():
            clean = distort(self.synthesise(numbers))
            distortion = distort(self.synthesise(self.rounded(numbers))) - clean
        # a row that rounding does not harm by much is not worth all bits
        distortion = torch.maximum(distortion, MIN_DISTORTION * clean).clamp_min(1e-12)
        return self.latent_dim / (2.0 * math.log(2.0) * distortion)

    def rounded(self, numbers: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        return torch.round(numbers).clamp(0, self.levels - 1)

    def tabulate(self, latents: Float[Tensor, "N K"]) -> None:
        symbols = self.quantize(latents).cpu().numpy()
        columns = symbols.T if self.per_dim else symbols.reshape(1, -1)
        weights = [
            # every level at least once, as in COIN++'s code; the escape is never used
            np.append(np.maximum(np.bincount(c, minlength=self.levels), 1), 0).astype(np.float64)
            for c in columns
        ]
        self.tables = tabulate(weights, [0] * len(weights))
