"""The learned bottleneck: an analysis transform, a factorised density, a synthesis transform."""

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from inrc.entropy.bottleneck import Distort
from inrc.entropy.contexts import MAX_SIZE
from inrc.entropy.covariance import shrunk_covariance
from inrc.entropy.pooling import MAX_ENTRIES, pooled_tables
from inrc.entropy.rounding import Rounding

if TYPE_CHECKING:
    from compressai.entropy_models import EntropyBottleneck

NUM_PASSES = 4
"""Passes in which symbols are chosen by their rate; each one changes the contexts of the next. The
second saves 2 to 5 % of the bits of a photograph, the third 1 %, the fourth 0.3 %."""
PRIOR_COUNT = 100.0
"""Weight of the learned density in the final tables, in training signals, and at most `PRIOR_SHARE`
of them: without that limit, 276 months with 512 latents spend 14 of 34 bits on symbols that do not
occur."""
PRIOR_SHARE = 1 / 64


class LearnedBottleneck(Rounding):
    """VC-INR (arXiv:2301.09479), step 2: g_a, a learned factorised density, g_s.

    The transforms start at the best linear ones. With mse ~ d^T H d for a latent error d, and the
    covariance of the latents, the coordinates n = R^T H^(1/2) (z - mean) are uncorrelated and an
    error in any of them is an error of the signal (the Karhunen-Loeve transform in the metric of
    the signal). There one step fits all: at high resolution bits + lmbda * mse is least at
    step = sqrt(6 / (lmbda * observations * ln 2)). Residual networks, zero at the start, change
    both transforms from there, and every step size is learned.

    Symbols are rounded rate-distortion optimally: the nearest integer, its neighbour towards zero
    or zero itself, with the smallest bits + lmbda * mse.

    Args:
        latent_dim: size of the latent.
        lmbda: bits per observation that one unit of mean squared error is worth (lambda).
        hidden: width of the residual networks; 0 leaves the transforms linear.
    """

    needs_metric = True

    mean: Tensor
    forth: Tensor
    back: Tensor
    spread: Tensor
    observations: Tensor

    def __init__(self, latent_dim: int, lmbda: float, hidden: int = 128) -> None:
        super().__init__(latent_dim)
        self.lmbda = lmbda
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("forth", torch.eye(latent_dim))
        self.register_buffer("back", torch.eye(latent_dim))
        self.register_buffer("spread", torch.ones(latent_dim))
        self.register_buffer("observations", torch.ones(()))
        self.log_step = nn.Parameter(torch.zeros(latent_dim))
        self.analysis = _residual(latent_dim, hidden)
        self.synthesis = _residual(latent_dim, hidden)
        self.density: EntropyBottleneck | None = None

    def prepare(self) -> None:
        """Create the density; a codec needs only the tables that are made of it."""
        with warnings.catch_warnings():  # the import scripts functions, which torch deprecates
            warnings.filterwarnings("ignore", ".*torch.jit.*")
            from compressai.entropy_models import EntropyBottleneck  # takes seconds to import

        self.density = EntropyBottleneck(self.latent_dim)
        self.density.quantiles.requires_grad_(False)  # medians stay 0: symbols are plain integers

    def finish(self) -> None:
        """Remove the density."""
        self.density = None

    def calibrate(
        self, latents: Float[Tensor, "N K"], metric: Float[Tensor, "J J"], observations: int
    ) -> None:
        with torch.no_grad():
            mean = latents.mean(0)
            value, vector = torch.linalg.eigh(metric.double())
            value = value.clamp_min(value.max() * 1e-9)
            root = (vector * value.sqrt()) @ vector.T
            whole = (latents - mean).double() @ root
            step = math.sqrt(6.0 / (self.lmbda * observations * math.log(2.0)))
            spread, turn = torch.linalg.eigh(shrunk_covariance(whole, step**2 / 12.0))
            turn = turn.flip(1)
            inverse = (vector / value.sqrt()) @ vector.T
            self.mean.copy_(mean)
            self.forth.copy_(root @ turn)
            self.back.copy_(turn.T @ inverse)
            deviation = spread.flip(0).clamp_min(0.0).sqrt()
            # a coordinate with a small spread in training may be large in another signal: in units
            # of a step it stays in the range on which the networks were trained
            self.spread.copy_(deviation.clamp_min(step))
            self.observations.fill_(observations)
            self.log_step.fill_(math.log(step))
            self._widen(deviation / step)

    def _widen(self, deviation: Float[Tensor, "K"]) -> None:
        """Initialise the density with about the width of the symbols.

        CompressAI starts every channel with the same `init_scale`; the spread of its logistic-like
        start is about init_scale, so the same formula with one scale per channel fits each.
        """
        assert self.density is not None
        sizes = (1, *self.density.filters, 1)
        scale = deviation.clamp(0.15, 1e4) ** (1.0 / (len(self.density.filters) + 1))
        for i, size in enumerate(sizes[1:]):
            start = torch.log(torch.expm1(1.0 / scale / size))  # K
            matrix = getattr(self.density, f"_matrix{i}", None)
            if matrix is None:
                matrix = self.density.matrices[i]
            matrix.copy_(start[:, None, None].expand_as(matrix))

    def analyse(self, latents: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        n = (latents - self.mean) @ self.forth
        return (n + self.spread * self.analysis(n / self.spread)) * torch.exp(-self.log_step)

    def synthesise(self, numbers: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        n = numbers * torch.exp(self.log_step)
        return (n + self.spread * self.synthesis(n / self.spread)) @ self.back + self.mean

    def forward(self, latents: Float[Tensor, "B K"]) -> tuple[Float[Tensor, "B K"], Tensor]:
        assert self.density is not None
        noisy, likelihood = self.density(self.analyse(latents), training=True)
        return self.synthesise(noisy), -torch.log2(likelihood).sum(1)

    @property
    def lmbda_per_row(self) -> float:
        """Price of one unit of a row's distortion, in bits."""
        return self.lmbda * float(self.observations)

    def lmbdas(self, numbers: Float[Tensor, "B K"], distort: Distort) -> Float[Tensor, "B"]:
        return numbers.new_full((len(numbers),), self.lmbda_per_row)

    def rounded(self, numbers: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        best = torch.round(numbers)
        if self.tables is None:
            return best
        rows = torch.arange(len(numbers), device=numbers.device)
        for _ in range(NUM_PASSES if self.tables.contexts else 1):
            cheapest = self._cheapest(numbers[rows], self.chosen(best[rows]))
            changed = (cheapest != best[rows]).any(1)
            best[rows] = cheapest
            rows = rows[changed]
            if not len(rows):
                break
        return best

    def _cheapest(
        self, numbers: Float[Tensor, "B K"], chosen: NDArray[np.int16]
    ) -> Float[Tensor, "B K"]:
        """The cheapest of the nearest integer, its neighbour towards zero, and zero."""
        best = torch.round(numbers)
        row, k = torch.nonzero(best, as_tuple=True)  # a 0 stays 0
        number, nearest = numbers[row, k], best[row, k]
        tables = chosen[row.cpu().numpy(), k.cpu().numpy()]
        curvature = self.lmbda_per_row * torch.exp(2.0 * self.log_step[k])
        least = self.cost(nearest, tables) + curvature * (nearest - number).square()
        choice = nearest
        for other in (nearest - nearest.sign(), torch.zeros_like(nearest)):
            cost = self.cost(other, tables) + curvature * (other - number).square()
            choice = torch.where(cost < least, other, choice)
            least = torch.minimum(cost, least)
        best[row, k] = choice
        return best

    def predicted_gain(
        self, symbols: Float[Tensor, "B K"], gradient: Float[Tensor, "B K"]
    ) -> Float[Tensor, "B"]:
        """In the metric of the signal the distortion is a parabola of second derivative 2 step^2.

        Where a field is linear it is just that, and its latents are at its bottom: no hope.
        """
        with torch.no_grad():
            curvature = torch.exp(2.0 * self.log_step)
            chosen = self.chosen(symbols)
            move = self._cheapest(symbols - gradient / (2.0 * curvature), chosen) - symbols
            fall = -(gradient * move + curvature * move.square())
            bits = self.cost(symbols, chosen) - self.cost(symbols + move, chosen)
            return (self.lmbda_per_row * fall + bits).sum(1)

    def tabulate(self, latents: Float[Tensor, "N K"]) -> None:
        """Tables from the learned density, corrected by the counts of the training symbols."""
        self.tables = None
        self._count(self.quantize(latents))
        # again with the symbols that rate-distortion optimal rounding chooses
        self._count(self.quantize(latents))

    def _count(self, symbols: Int[Tensor, "N K"]) -> None:
        s = symbols.cpu().numpy().astype(np.int64)
        longest = int(np.clip(np.abs(s).max(initial=0) + 2, MAX_SIZE, MAX_ENTRIES // 2 - 1))
        grid = torch.arange(-longest, longest + 1, device=symbols.device, dtype=torch.float32)
        with torch.no_grad():
            grid = grid[:, None].expand(-1, self.latent_dim).contiguous()
            assert self.density is not None
            _, likelihood = self.density(grid, training=False)
        prior = min(PRIOR_COUNT, PRIOR_SHARE * len(s))
        self.tables = pooled_tables(s, likelihood.double().cpu().numpy().T, prior)


def _residual(size: int, hidden: int) -> nn.Module:
    """A residual network that starts at zero; constant zero for 0 hidden units."""
    if hidden == 0:
        return _Zero()
    net = nn.Sequential(
        nn.Linear(size, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
        nn.Linear(hidden, size),
    )  # fmt: skip
    last = net[-1]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return net


class _Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)
