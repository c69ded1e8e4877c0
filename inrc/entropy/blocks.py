"""Which weights are coded together."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.entropy.candidates import BITS


def partition(cost: Float[Tensor, "W"], limit: int, negligible: float) -> list[Int[Tensor, "D"]]:
    """Blocks of weights whose mean costs (in bits) add up to 16 at most, `limit` of them at most.

    A random order, the same in every run, is filled in greedily (COMBINER, arXiv:2305.19185, sec.
    3.3). Weights below `negligible` bits are in no block. A weight that costs more than 16 bits has
    one of its own. Where no weight costs anything, nothing was learned of them: all are coded.
    """
    order = torch.randperm(len(cost), generator=torch.Generator().manual_seed(0))
    if float(cost.max()) > 0.0:
        order = order[cost[order] > negligible]
    blocks: list[list[int]] = []
    filled = math.inf
    for weight in order.tolist():
        if filled + float(cost[weight]) > BITS or len(blocks[-1]) >= limit:
            blocks.append([])
            filled = 0.0
        blocks[-1].append(weight)
        filled += float(cost[weight])
    return [torch.tensor(block, dtype=torch.long) for block in blocks]
