"""Bottlenecks that round: symbols are searched by their rate and the distortion of the signal."""

import math
from abc import abstractmethod

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from inrc.entropy.bottleneck import Bottleneck, Distort

NUM_STEPS = 16
"""Steps of the search at an effort of 1. Measured (COIN++, CIFAR-10, 64 latents): 8 gain 0.25 dB at
equal rate, 16 gain 0.45, 32 gain 0.6, 64 gain 0.7."""
FIRST_STEP = 0.5
"""First step in units of a symbol (0.2 and 0.8 are a little worse)."""
MAX_SYMBOLS = 1 << 22
"""Symbols that are converted to latents at once."""
MOMENTS = (0.9, 0.95)
"""Decay of Adam's moments; the second is short, as there are few steps."""
MIN_ROW_GAIN = 1e-3
"""Predicted gain, as a share of its cost, below which a row ends."""
MIN_TOTAL_GAIN = 5e-3
"""The same for all rows together, which are evaluated together."""
SCALE_FLOOR = 0.5
"""Floor of the gradient's scale, as a share of the row's root mean square. (With 0.1, COIN++ needs
a tenth more bits at its lowest rate.)"""
MAX_SLOPE = 8.0
"""Maximum slope of the rate, in bits per symbol; more is an escape."""


class Rounding(Bottleneck):
    """A bottleneck whose symbols are rounded numbers; subclasses define the numbers of a latent."""

    @property
    def step_size(self) -> float:
        """First step, in units of a symbol."""
        return FIRST_STEP

    @abstractmethod
    def lmbdas(self, numbers: Float[Tensor, "B L"], distort: Distort) -> Float[Tensor, "B"]:
        """Price of one unit of each row's distortion, in bits."""

    @abstractmethod
    def analyse(self, latents: Float[Tensor, "B K"]) -> Float[Tensor, "B L"]:
        """The numbers of latents, to be rounded."""

    @abstractmethod
    def synthesise(self, numbers: Float[Tensor, "B L"]) -> Float[Tensor, "B K"]:
        """The latents of numbers, differentiably."""

    @abstractmethod
    def rounded(self, numbers: Float[Tensor, "B L"]) -> Float[Tensor, "B L"]:
        """The integers of numbers."""

    def predicted_gain(
        self, symbols: Float[Tensor, "B L"], gradient: Float[Tensor, "B L"]
    ) -> Float[Tensor, "B"] | None:
        """Gain of each row that the gradient of its distortion predicts.

        None if the bottleneck has no prediction.
        """
        return None

    def quantize(self, latents: Float[Tensor, "B K"]) -> Int[Tensor, "B L"]:
        with torch.no_grad():
            return self.rounded(self.analyse(latents)).int()

    def dequantize(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B K"]:
        """Latents of the symbols, in portions: a long recording has millions of symbols."""
        with torch.no_grad():
            latents = symbols.new_empty(len(symbols), self.latent_dim, dtype=torch.float32)
            size = max(1, MAX_SYMBOLS // self.symbols)
            for start in range(0, len(symbols), size):
                part = symbols[start : start + size].to(torch.float32)
                latents[start : start + size] = self.synthesise(part)
            return latents

    def search(
        self, latents: Float[Tensor, "B K"], distort: Distort, effort: float = 1.0
    ) -> Int[Tensor, "B L"]:
        """Symbols that are cheapest in bits + price x distortion, among those on Adam's way.

        The gradient is that at the rounded numbers and moves those before rounding (straight
        through), so that what rounding breaks is mended by other symbols. A row keeps the best
        that it came by, from `quantize` on; the decoder knows nothing of it.
        """
        numbers = self.analyse(latents).detach()
        total = round(NUM_STEPS * effort)
        best = symbols = self.rounded(numbers)
        if total == 0:
            return best.int()
        lmbdas = self.lmbdas(numbers, distort)
        first, second = torch.zeros_like(numbers), torch.zeros_like(numbers)
        least = numbers.new_full((len(numbers),), math.inf)
        open_ = torch.ones_like(least, dtype=torch.bool)
        for step in range(total + 1):
            symbols = self.rounded(numbers) if step else symbols
            distortion, gradient = self._distortion_and_grad(symbols, distort)
            loss = self.bits(symbols.int()) + lmbdas * distortion
            better = (loss < least) & open_
            best = torch.where(better[:, None], symbols, best)
            least = torch.where(better, loss, least)
            predicted_gain = self.predicted_gain(symbols, gradient)
            if predicted_gain is not None:
                open_ &= predicted_gain > MIN_ROW_GAIN * loss
                # all rows take a look together: it must be worth it for all of them
                if bool((predicted_gain * open_).sum() <= MIN_TOTAL_GAIN * loss.sum()):
                    break
            gradient = lmbdas[:, None] * gradient + self._steepness(symbols)
            first.lerp_(gradient, 1.0 - MOMENTS[0])
            second.lerp_(gradient.square(), 1.0 - MOMENTS[1] if step else 1.0)
            lr = self.step_size * (0.5 + 0.5 * math.cos(math.pi * step / total))
            mean = first / (1.0 - MOMENTS[0] ** (step + 1))
            # what hardly matters to a row hardly moves: moves that win nothing cost bits
            scale = second.sqrt()
            scale = scale + SCALE_FLOOR * scale.square().mean(1, keepdim=True).sqrt()
            numbers = numbers - lr * mean / scale.clamp_min(1e-20)
        return best.int()

    def _distortion_and_grad(
        self, symbols: Float[Tensor, "B L"], distort: Distort
    ) -> tuple[Float[Tensor, "B"], Float[Tensor, "B L"]]:
        """The rows' distortion and its gradient."""
        at = symbols.clone().requires_grad_()
        with torch.enable_grad():
            distortion = distort(self.synthesise(at))
            (gradient,) = torch.autograd.grad(distortion.sum(), at)
        return distortion.detach(), gradient

    def _steepness(self, symbols: Float[Tensor, "B L"]) -> Float[Tensor, "B L"]:
        """Derivative of the rate, by differences between the neighbours of each symbol."""
        chosen = self.chosen(symbols)
        rise = (self.cost(symbols + 1.0, chosen) - self.cost(symbols - 1.0, chosen)) / 2.0
        return rise.clamp(-MAX_SLOPE, MAX_SLOPE)

    def chosen(self, symbols: Float[Tensor, "B L"]) -> NDArray[np.int16]:
        """The tables that code symbols, as `cost` takes them."""
        assert self.tables is not None
        return self.tables.chosen(symbols.cpu().numpy().astype(np.int32))

    def cost(self, symbols: Float[Tensor, "*S"], chosen: NDArray[np.int16]) -> Float[Tensor, "*S"]:
        """Bits of every symbol under these of the frozen tables."""
        assert self.tables is not None
        entry = self.tables.index(symbols.cpu().numpy().astype(np.int32), chosen)
        return torch.from_numpy(self.tables.costs[chosen, entry]).to(symbols)
