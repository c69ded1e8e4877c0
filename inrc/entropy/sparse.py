"""Few numbers among many: the k that matter, and where they are."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.entropy.bottleneck import Bottleneck
from inrc.entropy.coder import tabulate

OPEN = 10.0
"""Value of log alpha, beyond all that is told apart, that stands for an open gate."""
SHUT_COUNT = 1.0
"""Every position is credited with this many training signals that shut it, and that open it."""


class SparseBottleneck(Bottleneck):
    """Exactly k changes of a signal, quantised uniformly; value 0 is a gate that is shut.

    The latent is that of `inrc.fields.SparseSiren`: U changes, U values of log alpha. A gate's
    position and value are one symbol with a table for every position, so a shut gate costs
    -log2 P(shut there): the mask is a Bernoulli code with the frequency of its position, and it is
    counted. MSCN's published rates hold no such bits.

    Args:
        latent_dim: 2 U.
        keep: k, the gates that stay open at most.
        bits: levels of a value, as a power of two, over 3 standard deviations to either side.
        refine: gradient steps that make up for what was left out.
    """

    step: Tensor

    def __init__(self, latent_dim: int, keep: int, bits: int = 5, refine: int = 3) -> None:
        super().__init__(latent_dim)
        self.changes = latent_dim // 2
        self.keep = min(keep, self.changes)
        self.levels = 2**bits
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

    def forward(self, latents: Float[Tensor, "B K"]) -> tuple[Float[Tensor, "B K"], Tensor]:
        symbols = self.quantize(latents.detach())
        rounded = self.dequantize(symbols)
        return latents + (rounded - latents).detach(), self.bits(symbols)

    def _kept(self, latents: Float[Tensor, "B K"]) -> Float[Tensor, "B U"]:
        """The k changes that are largest after their gates; the others 0."""
        change, log_alpha = latents.split(self.changes, dim=1)
        # the mode of the hard-concrete gate (arXiv:1712.01312, eq. 13)
        value = change * (torch.sigmoid(log_alpha) * 1.2 - 0.1).clamp(0.0, 1.0)
        largest = value.abs().topk(self.keep, dim=1).indices
        return torch.zeros_like(value).scatter(1, largest, value.gather(1, largest))

    def search(
        self,
        latents: Float[Tensor, "B K"],
        distort: Callable[[Tensor], Tensor],
        effort: float = 1.0,
    ) -> Int[Tensor, "B U"]:
        """The k largest, moved by a few gradient steps to make up for those that are left out.

        Steps are as long as Adam's first (a tenth of a value's spread); one that does not help a
        row is halved.
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

    def _loss(self, value: Tensor, distort: Callable[[Tensor], Tensor]) -> Tensor:
        return distort(torch.cat([value, torch.full_like(value, OPEN)], 1))

    def _distorted(self, value: Tensor, distort: Callable[[Tensor], Tensor]) -> Tensor:
        with torch.no_grad():
            return self._loss(value, distort)

    def quantize(self, latents: Float[Tensor, "B K"]) -> Int[Tensor, "B U"]:
        return self._rounded(self._kept(latents))

    def _rounded(self, value: Tensor) -> Int[Tensor, "B U"]:
        most = self.levels // 2
        return torch.round(value / self.step).clamp(-most, most).int()

    def dequantize(self, symbols: Int[Tensor, "B U"]) -> Float[Tensor, "B K"]:
        value = symbols.to(self.step.dtype) * self.step
        return torch.cat([value, torch.full_like(value, OPEN)], 1)

    def tabulate(self, latents: Float[Tensor, "N K"]) -> None:
        """Per position how often its gate is open; what an open one says is shared by all."""
        symbols = self.quantize(latents).cpu().numpy().astype(np.int64)
        most = self.levels // 2
        open_ = symbols != 0
        values = np.bincount(symbols[open_] + most, minlength=2 * most + 1) + 0.5
        values[most] = 0.0
        values /= values.sum()
        share = (open_.sum(0) + SHUT_COUNT * self.keep / self.changes) / (len(symbols) + SHUT_COUNT)
        weights = []
        for p in share:
            weight = p * values
            weight[most] = 1.0 - p
            weights.append(np.append(weight, 1e-9))  # clamped values never escape
        self.tables = tabulate(weights, [-most] * self.changes)
