"""The 2^16 candidates that encoder and decoder share, and the encoder's choice among them."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from inrc.entropy.philox import logarithm, normals, uniforms

BITS = 16
"""Of the number of a candidate."""
COUNT = 1 << BITS
STREAM = 0
"""Of the generator: the candidates. Never to be changed."""
RACE = 1
"""Of the generator: the encoder's arrival times."""
SCORES = 1 << 23
"""Scores that are held at once: 64 MiB of float64."""


class Candidates:
    """Draws from the standard normal distribution: candidate n of D weights is row n, D columns.

    The same for all blocks: blocks of different weights are independent under the prior anyway.
    A decoder makes the rows that it is asked for, an encoder all, once.
    """

    def __init__(self) -> None:
        self._table = torch.zeros(COUNT, 0, dtype=torch.float64)
        self._times: Tensor | None = None

    def rows(self, index: NDArray[np.int64], dims: int) -> NDArray[np.float64]:
        """The candidates of these numbers."""
        return normals(index, dims, STREAM)

    def table(self, dims: int, device: torch.device) -> Float[Tensor, "N D"]:
        """All candidates."""
        if self._table.shape[1] < dims:
            found = normals(np.arange(COUNT), dims, STREAM)
            self._table = torch.from_numpy(found)
        self._table = self._table.to(device)
        return self._table[:, :dims]

    def gumbels(self, device: torch.device) -> Float[Tensor, "N"]:
        """Gumbel variables in falling order: -ln of the arrival times of a Poisson process.

        As all posteriors are coded with the same ones, choices are the same in every run.
        """
        if self._times is None:
            waits = -logarithm(uniforms(np.arange(COUNT), 1, RACE)[:, 0])
            self._times = -torch.from_numpy(np.cumsum(waits)).log()
        return self._times.to(device)


def choose(
    mean: Float[Tensor, "B D"],
    sigma: Float[Tensor, "B D"],
    prior_mean: Float[Tensor, "D"],
    prior_sigma: Float[Tensor, "D"],
    candidates: Candidates,
    gumbels: Float[Tensor, "#B N"] | None = None,
) -> Int[Tensor, "B"]:
    """Number of a candidate that is nearly a draw from the posterior, for every row.

    argmax_n ln q(x_n) / p(x_n) + g_n, g the ordered Gumbels: A* coding with a global bound and 2^16
    samples (COMBINER, arXiv:2305.19185, app. A; Flamich et al. 2022). `gumbels` takes the place of
    the fixed ones.
    """
    offset = (mean.double() - prior_mean.double()) / prior_sigma.double()
    precision = (prior_sigma.double() / sigma.double()).square()
    table = candidates.table(mean.shape[1], mean.device)
    race = candidates.gumbels(mean.device)[None] if gumbels is None else gumbels
    found = []
    size = max(1, SCORES // COUNT)
    for start in range(0, len(mean), size):
        part = slice(start, start + size)
        # ln q / p at x = mp + sp X, less what does not depend on X
        score = (offset * precision)[part] @ table.T
        score += (0.5 * (1.0 - precision))[part] @ table.square().T
        score += race if len(race) == 1 else race[part]
        found.append(score.argmax(1))
    return torch.cat(found)
