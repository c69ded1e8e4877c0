"""Parts of one signal share rows of symbols: every weight is permuted among the parts."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from inrc.entropy.philox import LANES, philox

PERMUTATION_STREAM = 2
"""Stream of the random numbers of the permutations. Files depend on it."""


def groups(parts: Sequence[int], max_group: int) -> list[int]:
    """Sizes of the groups of consecutive rows that are permuted together.

    `parts` are the numbers of rows of each signal. No group has rows of two signals. A signal of
    more than `max_group` rows is cut into the smallest number of groups, of nearly equal size.
    """
    sizes = []
    for rows in parts:
        count = -(-rows // max_group)
        sizes += [rows // count + (number < rows % count) for number in range(count)]
    return sizes


@lru_cache(maxsize=4)
def orders(rows: int, dims: int) -> NDArray[np.int64]:
    """The row that each place holds (rows dims): a random permutation for every dimension.

    The order of 32-bit random integers (`inrc.entropy.philox`), stable for equal ones: the same on
    every machine.
    """
    counter = np.zeros((rows, -(-dims // LANES), LANES), np.uint32)
    counter[..., 0] = np.arange(rows)[:, None]
    counter[..., 1] = np.arange(counter.shape[1])
    keys = philox(counter, (PERMUTATION_STREAM, 0)).reshape(rows, -1)[:, :dims]
    return np.argsort(keys, axis=0, kind="stable")


class PatchPermutation:
    """Permutes the weights of a signal's parts, and inverts the permutation.

    Place i of a group holds, for every weight w, that of row perm_w(i) (RECOMBINER,
    arXiv:2309.17182, app. D.2): bits that one part needs are spread over the places of all parts.

    Args:
        sizes: sizes of the groups of consecutive rows, see `groups`.
        dims: number of weights of a row.
    """

    def __init__(self, sizes: Sequence[int], dims: int) -> None:
        self.dims = dims
        self._row: Int[Tensor, "B W"] | None = None
        if any(size > 1 for size in sizes):
            starts = np.cumsum([0, *sizes])
            rows = [start + orders(size, dims) for start, size in zip(starts, sizes, strict=False)]
            self._row = torch.from_numpy(np.concatenate(rows))

    def apply(self, latents: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        """Rows to places; K is a multiple of the number of weights."""
        if self._row is None:
            return latents
        by_weight, row = self._aligned(latents, self._row)
        return by_weight.gather(0, row).flatten(1)

    def invert(self, latents: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        """Places to rows, differentiably."""
        if self._row is None:
            return latents
        by_weight, row = self._aligned(latents, self._row)
        return torch.zeros_like(by_weight).scatter(0, row, by_weight).flatten(1)

    def _aligned(self, latents: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
        by_weight = latents.unflatten(1, (-1, self.dims))  # B K/W W
        return by_weight, row.to(latents.device)[:, None].expand_as(by_weight)
