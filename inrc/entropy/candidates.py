"""The 2^16 candidates that encoder and decoder share, and the encoder's choice among them."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from inrc.entropy.philox import logarithm, normals, uniforms
from inrc.gaussian import Gaussian

BITS = 16
"""Bits of the number of a candidate."""
COUNT = 1 << BITS
CANDIDATE_STREAM = 0
"""Stream of the random numbers of the candidates. Files depend on it."""
ARRIVAL_STREAM = 1
"""Stream of the encoder's arrival times."""
MAX_SCORES = 1 << 23
"""Scores that are held at once: 64 MiB of float64."""


class Candidates:
    """Draws from the standard normal distribution: candidate n of D weights is row n, D columns.

    All blocks share them, as blocks of different weights are independent under the prior. A decoder
    makes single rows, an encoder makes the whole table once.
    """

    def __init__(self) -> None:
        self._table = torch.zeros(COUNT, 0, dtype=torch.float64)
        self._times: Tensor | None = None

    def rows(self, index: NDArray[np.int64], dims: int) -> NDArray[np.float64]:
        """The candidates of these numbers."""
        return normals(index, dims, CANDIDATE_STREAM)

    def table(self, dims: int, device: torch.device) -> Float[Tensor, "N D"]:
        """All candidates."""
        table = self._table  # other threads may replace it
        if table.shape[1] < dims:
            table = torch.from_numpy(normals(np.arange(COUNT), dims, CANDIDATE_STREAM))
        table = self._table = table.to(device)
        return table[:, :dims]

    def gumbels(self, device: torch.device) -> Float[Tensor, "N"]:
        """Gumbel variables in decreasing order: -ln of the arrival times of a Poisson process.

        All posteriors are coded with the same ones, so that every run makes the same choices.
        """
        times = self._times
        if times is None:
            waits = -logarithm(uniforms(np.arange(COUNT), 1, ARRIVAL_STREAM)[:, 0])
            times = self._times = -torch.from_numpy(np.cumsum(waits)).log()
        return times.to(device)


def choose(
    posterior: Gaussian,
    prior: Gaussian,
    candidates: Candidates,
    gumbels: Float[Tensor, "#B N"] | None = None,
) -> Int[Tensor, "B"]:
    """Number of a candidate for every row, approximately a draw from the posterior.

    argmax_n ln q(x_n) / p(x_n) + g_n, g the ordered Gumbels: A* coding with a global bound and 2^16
    samples (COMBINER, arXiv:2305.19185, app. A; Flamich et al. 2022). `gumbels` replaces the fixed
    ones.
    """
    q, p = posterior.double(), prior.double()
    offset = (q.mean - p.mean) / p.sigma
    precision = (p.sigma / q.sigma).square()
    table = candidates.table(offset.shape[1], offset.device)
    race = candidates.gumbels(offset.device)[None] if gumbels is None else gumbels
    numbers = []
    size = max(1, MAX_SCORES // COUNT)
    for start in range(0, len(offset), size):
        part = slice(start, start + size)
        # ln q / p at x = mp + sp X, without terms that do not depend on X
        score = (offset * precision)[part] @ table.T
        score += (0.5 * (1.0 - precision))[part] @ table.square().T
        score += race if len(race) == 1 else race[part]
        numbers.append(score.argmax(1))
    return torch.cat(numbers)
