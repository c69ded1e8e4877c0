"""Slots: parts of one signal that share their rows of symbols, each weight in its own order."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from inrc.entropy.philox import LANES, philox

STREAM = 2
"""Of the generator: the orders of rows. Never to be changed."""


def groups(parts: Sequence[int], most: int) -> list[int]:
    """Sizes of the groups of consecutive rows that share their slots.

    `parts` are the rows of each signal; no group holds rows of two. A signal of more than `most`
    rows is cut into as few groups as can be, of nearly one size. Groups of groups are the same.
    """
    found = []
    for rows in parts:
        count = -(-rows // most)
        found += [rows // count + (number < rows % count) for number in range(count)]
    return found


@lru_cache(maxsize=4)
def orders(rows: int, dims: int) -> NDArray[np.int64]:
    """Which row is coded in each slot (rows dims): for every dimension a random permutation.

    The order of integers of 32 bits (philox.py), of equal ones the first before the second: the
    same on every machine.
    """
    counter = np.zeros((rows, -(-dims // LANES), LANES), np.uint32)
    counter[..., 0] = np.arange(rows)[:, None]
    counter[..., 1] = np.arange(counter.shape[1])
    keys = philox(counter, (STREAM, 0)).reshape(rows, -1)[:, :dims]
    return np.argsort(keys, axis=0, kind="stable")


class PatchPermutation:
    """The way from rows, one per part of a signal, to slots, one per row of symbols, and back.

    Slot i of a group takes of every weight w the one of row perm_w(i) (RECOMBINER,
    arXiv:2309.17182, app. D.2): what one part needs more is spread over the slots of all.

    Args:
        sizes: of the groups of consecutive rows, see `groups`.
        dims: weights of a row.
    """

    def __init__(self, sizes: Sequence[int], dims: int) -> None:
        self.dims = dims
        self._row: Int[Tensor, "B W"] | None = None
        if any(size > 1 for size in sizes):
            starts = np.cumsum([0, *sizes])
            rows = [start + orders(size, dims) for start, size in zip(starts, sizes, strict=False)]
            self._row = torch.from_numpy(np.concatenate(rows))

    def apply(self, latents: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        """Rows to slots; K is any number of times the weights."""
        if self._row is None:
            return latents
        by_weight, row = self._aligned(latents, self._row)
        return by_weight.gather(0, row).flatten(1)

    def invert(self, latents: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        """Slots to rows, differentiably."""
        if self._row is None:
            return latents
        by_weight, row = self._aligned(latents, self._row)
        return torch.zeros_like(by_weight).scatter(0, row, by_weight).flatten(1)

    def _aligned(self, latents: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        by_weight = latents.unflatten(1, (-1, self.dims))  # B K/W W
        return by_weight, row.to(latents.device)[:, None].expand_as(by_weight)
