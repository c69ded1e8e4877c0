"""The search of relative entropy coding: blocks are coded in turn, the others are refined."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.entropy.blocks import BlockCoder
from inrc.entropy.bottleneck import Distort
from inrc.entropy.candidates import BITS
from inrc.gaussian import NATS, Posterior, divergence

BITS_WINDOW = 0.2
"""Bits around 16 within which the price of a block does not change (COMBINER's released code)."""
CONTROL_INTERVAL = 10
"""Steps between two changes of the prices (RECOMBINER, arXiv:2309.17182, app. C)."""
MAX_LOG_CHANGE = 0.1
"""Largest change of the logarithm of a price: COMBINER's factor of 1.1."""
FINAL_RATE = 0.1
"""Learning rate at the end of the fit, as a share of the first."""


@dataclass(frozen=True)
class Schedule:
    """Steps and learning rate of a search.

    `fit` steps move all weights together, from the learning rate `lr` down to a tenth of it along a
    cosine. `refine` steps follow between blocks, most of them after the first, at a tenth of `lr`.
    """

    fit: int
    refine: int
    lr: float

    def scaled(self, effort: float) -> "Schedule":
        """The schedule for an effort, 1 being the default."""
        fit, refine = (
            max(CONTROL_INTERVAL, round(steps * effort)) for steps in (self.fit, self.refine)
        )
        return Schedule(fit, refine, self.lr)

    def fit_lr(self, step: int) -> float:
        """Learning rate of a step of the fit."""
        decay = 0.5 + 0.5 * math.cos(math.pi * step / self.fit)
        return self.lr * (FINAL_RATE + (1.0 - FINAL_RATE) * decay)

    def refinements(self, number: int, blocks: int) -> int:
        """Steps after a block, proportional to the number of blocks that are not coded yet."""
        done = [round(self.refine * (1.0 - (1.0 - n / blocks) ** 2)) for n in (number, number + 1)]
        return done[1] - done[0] if number + 1 < blocks else 0


class Refinement:
    """Posteriors of all rows while their blocks are coded one after the other.

    Every block of every row has a price beta, which is moved until the block costs 16 bits.

    Args:
        posterior: posteriors of the weights, B rows of W.
        coder: coder of blocks.
        blocks: weights of each block.
        distort: weights (B W) to each row's distortion.
        beta: price of a nat at the start, in mean squared error.
    """

    def __init__(
        self, posterior: Posterior, coder: BlockCoder, blocks: list[Int[Tensor, "_"]],
        distort: Distort, beta: float,
    ) -> None:  # fmt: skip
        mean = posterior.mean
        self.posterior, self.coder, self.blocks, self.distort = posterior, coder, blocks, distort
        self.beta = beta
        self.prior = coder.prior.gaussian
        self.value = self.prior.mean.expand_as(mean).clone()
        self.free = mean.new_zeros(mean.shape[1])
        for block in blocks:
            self.free[block] = 1.0
        self.log_prices = mean.new_full((len(mean), len(blocks)), math.log(beta))

    def run(self, schedule: Schedule) -> list[Int[Tensor, "B"]]:
        """Candidates of all blocks."""
        for step in range(schedule.fit if self.blocks else 0):
            self.step(schedule.fit_lr(step))
            if step % CONTROL_INTERVAL == CONTROL_INTERVAL - 1 and step >= schedule.fit // 10:
                self.update_prices(0)
        symbols = []
        for number in range(len(self.blocks)):
            symbols.append(self.code(number))
            for step in range(schedule.refinements(number, len(self.blocks))):
                self.step(schedule.lr * FINAL_RATE)
                if step % CONTROL_INTERVAL == 0:
                    self.update_prices(number + 1)
        return symbols

    def code(self, number: int) -> Int[Tensor, "B"]:
        """Candidates of a block, whose weights are fixed from now on."""
        block = self.blocks[number]
        symbols = self.coder.encode(self.posterior.gaussian, block)
        self.value[:, block] = self.coder.decode(symbols, block)
        self.free[block] = 0.0
        return symbols

    def costs(self) -> Float[Tensor, "B L"]:
        """Bits of every block of every row."""
        nats = divergence(self.posterior.gaussian, self.prior)
        return torch.stack([nats[:, block].sum(1) for block in self.blocks], 1) * NATS

    def step(self, lr: float) -> None:
        """One step of Adam on the weights that are not fixed."""
        posterior = self.posterior
        noise = torch.randn_like(self.value)
        drawn = posterior.mean + posterior.sigma * noise
        drawn = torch.where(self.free > 0, drawn, self.value)
        with torch.enable_grad():
            drawn.requires_grad_()
            (slope,) = torch.autograd.grad(self.distort(drawn).sum(), drawn)
        beta = torch.full_like(self.value, self.beta)
        for number, block in enumerate(self.blocks):
            beta[:, block] = self.log_prices[:, number : number + 1].exp()
        posterior.step(slope, slope * noise, self.prior, beta, lr, self.free)

    def update_prices(self, first: int) -> None:
        """Move the prices of the blocks from `first` on towards a cost of 16 bits."""
        excess = self.costs() - BITS
        change = (excess / 4.0).clamp(-1.0, 1.0) * MAX_LOG_CHANGE
        change[excess.abs() < BITS_WINDOW] = 0.0
        self.log_prices[:, first:] += change[:, first:]
