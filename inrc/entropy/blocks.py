"""Blocks of weights: which weights share one, and the choice of a candidate for one."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.entropy.candidates import BITS, Candidates, choose
from inrc.gaussian import NATS, Gaussian, Prior, temper

BITS_TOLERANCE = 0.3
"""Bits around 16 to which a block is tempered before it is coded."""
NEGLIGIBLE = 0.01
"""Bits below which a weight is left out."""


def partition(cost: Float[Tensor, "W"], limit: int) -> list[Int[Tensor, "_"]]:
    """Blocks of at most `limit` weights with mean costs of at most 16 bits in total.

    A random order, the same in every run, is filled in greedily (COMBINER, arXiv:2305.19185, sec.
    3.3). Weights below `NEGLIGIBLE` bits are in no block. A weight that costs more than 16 bits has
    a block of its own. If no weight has a cost, the prior was not trained: all weights are coded.
    """
    order = torch.randperm(len(cost), generator=torch.Generator().manual_seed(0))
    if float(cost.max()) > 0.0:
        order = order[cost[order] > NEGLIGIBLE]
    blocks: list[list[int]] = []
    filled = math.inf
    for weight in order.tolist():
        if filled + float(cost[weight]) > BITS or len(blocks[-1]) >= limit:
            blocks.append([])
            filled = 0.0
        blocks[-1].append(weight)
        filled += float(cost[weight])
    return [torch.tensor(block, dtype=torch.long) for block in blocks]


class BlockCoder:
    """Codes one block of weights of all rows as numbers of candidates.

    Args:
        prior: prior of the weights.
        candidates: candidates that encoder and decoder share.
    """

    def __init__(self, prior: Prior, candidates: Candidates) -> None:
        self.prior = prior
        self.candidates = candidates

    def encode(self, posterior: Gaussian, block: Int[Tensor, "D"]) -> Int[Tensor, "B"]:
        """A candidate for every row, close to a draw from its posterior."""
        prior = self.prior.gaussian.block(block)
        low, high = (BITS - BITS_TOLERANCE) / NATS, (BITS + BITS_TOLERANCE) / NATS
        return choose(temper(posterior.block(block), prior, low, high), prior, self.candidates)

    def decode(self, symbols: Int[Tensor, "B"], block: Int[Tensor, "D"]) -> Float[Tensor, "B D"]:
        """The weights of candidates."""
        normal = self.candidates.rows(symbols.cpu().long().numpy(), len(block))
        unit = torch.from_numpy(normal).float().to(symbols.device)
        prior = self.prior.gaussian.block(block)
        return prior.mean + prior.sigma * unit
