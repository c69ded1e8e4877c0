"""Sparse codes: the k largest modulations and their positions."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.entropy.bottleneck import Bottleneck, Distort
from inrc.entropy.coder import levels, tabulate

OPEN_LOG_ALPHA = 10.0
"""Value of log alpha of an open gate, beyond the range of hard-concrete gates."""
PRIOR_COUNT = 1.0
"""Training signals added to every position, open with the mean frequency."""


class SparseBottleneck(Bottleneck):
    """At most k modulations of a signal, quantised uniformly; the value 0 is a closed gate.

    The latent is that of `inrc.fields.SparseSiren`: U modulations, U values of log alpha. Position
    and value are one symbol with a table for every position, so a closed gate costs -log2 P(closed
    there): the mask is a Bernoulli code with the frequency of each position. The rate includes it,
    unlike the rates that MSCN publishes.

    Args:
        latent_dim: 2 U.
        keep: k, the maximum number of open gates.
        bits: base-2 logarithm of the levels of a value, over 3 standard deviations to either side.
        refine: gradient steps that compensate for the modulations left out.
    """

    step: Tensor

    def __init__(self, latent_dim: int, keep: int, bits: int = 5, refine: int = 3) -> None:
        super().__init__(latent_dim)
        self.changes = latent_dim // 2
        self.keep = min(keep, self.changes)
        self.levels = levels(bits)
        self.refine = refine
        self.lmbda = 0.0
        self.register_buffer("step", torch.ones(()))

    @property
    def symbols(self) -> int:
        return self.changes

    def calibrate(
        self, latents: Float[Tensor, "N K"], metric: Float[Tensor, "J J"], observations: int
    ) -> None:
        kept = self._kept(latents)
        spread = kept[kept != 0].std(correction=0) if bool((kept != 0).any()) else kept.new_ones(())
        self.step.copy_((6.0 * spread / (self.levels - 1)).clamp_min(1e-9))
        self.tabulate(latents)

    def _kept(self, latents: Float[Tensor, "B K"]) -> Float[Tensor, "B U"]:
        """The k largest modulations after their gates; the others are 0."""
        change, log_alpha = latents.split(self.changes, dim=1)
        # the mode of the hard-concrete gate (arXiv:1712.01312, eq. 13)
        value = change * (torch.sigmoid(log_alpha) * 1.2 - 0.1).clamp(0.0, 1.0)
        largest = value.abs().topk(self.keep, dim=1).indices
        return torch.zeros_like(value).scatter(1, largest, value.gather(1, largest))

    def search(
        self, latents: Float[Tensor, "B K"], distort: Distort, effort: float = 1.0
    ) -> Int[Tensor, "B U"]:
        """The k largest, moved by gradient steps that compensate for the others.

        The first step is a tenth of the spread of the values; it is halved if the distortion rises.
        """
        value = self._kept(latents)
        mask = value != 0
        best = self._distorted(value, distort)
        size = (
            value.new_full((len(value), 1), 0.1)
            * value.square().sum(1, keepdim=True).div(mask.sum(1, keepdim=True).clamp_min(1)).sqrt()
        )
        for _ in range(round(self.refine * effort)):
            at = value.detach().requires_grad_()
            with torch.enable_grad():
                (slope,) = torch.autograd.grad(self._loss(at, distort).sum(), at)
            slope = slope * mask
            # the direction of steepest descent, a step's root mean square as long as `size`
            length = slope.square().sum(1, keepdim=True).div(mask.sum(1, keepdim=True).clamp_min(1))
            trial = value - size * slope / length.sqrt().clamp_min(1e-20)
            loss = self._distorted(trial, distort)
            better = (loss < best)[:, None]
            value = torch.where(better, trial, value)
            size = torch.where(better, size, size / 2)
            best = torch.minimum(best, loss)
        return self._rounded(value)

    def _loss(self, value: Tensor, distort: Distort) -> Tensor:
        return distort(torch.cat([value, torch.full_like(value, OPEN_LOG_ALPHA)], 1))

    def _distorted(self, value: Tensor, distort: Distort) -> Tensor:
        with torch.no_grad():
            return self._loss(value, distort)

    def quantize(self, latents: Float[Tensor, "B K"]) -> Int[Tensor, "B U"]:
        return self._rounded(self._kept(latents))

    def _rounded(self, value: Tensor) -> Int[Tensor, "B U"]:
        most = self.levels // 2
        return torch.round(value / self.step).clamp(-most, most).int()

    def dequantize(self, symbols: Int[Tensor, "B U"]) -> Float[Tensor, "B K"]:
        value = symbols.to(self.step.dtype) * self.step
        return torch.cat([value, torch.full_like(value, OPEN_LOG_ALPHA)], 1)

    def tabulate(self, latents: Float[Tensor, "N K"]) -> None:
        """A table per position: its frequency of an open gate, and the values of all open gates."""
        symbols = self.quantize(latents).cpu().numpy().astype(np.int64)
        most = self.levels // 2
        open_ = symbols != 0
        values = np.bincount(symbols[open_] + most, minlength=2 * most + 1) + 0.5
        values[most] = 0.0
        values /= values.sum()
        prior = PRIOR_COUNT * self.keep / self.changes
        share = (open_.sum(0) + prior) / (len(symbols) + PRIOR_COUNT)
        weights = []
        for p in share:
            weight = p * values
            weight[most] = 1.0 - p
            weights.append(np.append(weight, 1e-9))  # clamped values never escape
        self.tables = tabulate(weights, [-most] * self.changes)
