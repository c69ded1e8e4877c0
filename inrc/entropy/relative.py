"""Relative entropy coding: a posterior becomes the number of one of 2^16 shared candidates."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.entropy.blocks import BlockCoder, partition
from inrc.entropy.bottleneck import Bottleneck, Distort
from inrc.entropy.candidates import BITS, Candidates
from inrc.entropy.permutation import PatchPermutation, groups
from inrc.entropy.refinement import Refinement, Schedule
from inrc.errors import ContainerError
from inrc.gaussian import NATS, Gaussian, Posterior, Prior, deviation, divergence

MAX_GROUP = 512
"""Largest number of parts of a signal that share their blocks; an encoder holds them all."""


class RelativeBottleneck(Bottleneck):
    """COMBINER (arXiv:2305.19185), sec. 3: blocks of weights, 16 bits each, coded in turn.

    The blocks are drawn once, from the costs of the weights over the training signals: a random
    order, filled up to 16 bits or `limit` weights. A weight of negligible cost is in no block and
    keeps the prior's mean. For a file the price beta of every block is moved until the block costs
    16 bits; then one block after the other is replaced by a candidate, and the remaining blocks are
    refined to make up for the difference.

    Up to `max_group` parts of one signal share their blocks, see `PatchPermutation`: a block holds
    weights of different parts. Every block has 16 bits; without sharing, a smooth part would waste
    bits that a detailed part needs.

    Symbols are numbers of candidates, one per block, two bytes each.

    Args:
        weights: W of the field.
        quality: quality level: selects one of the latent's R posteriors.
        num_qualities: R.
        prior: prior of the weights, learned by the adapter.
        beta: price of a nat in mean squared error.
        limit: maximum number of weights of a block.
        schedule: steps and learning rate of the search.
        candidates: candidates, which quality levels can share: an encoder's table takes a second to
            make.
    """

    needs_latents = False
    """The prior holds all that is learned from training signals."""

    def __init__(
        self,
        weights: int,
        quality: int,
        num_qualities: int,
        prior: Prior,
        beta: float,
        limit: int = 64,
        schedule: Schedule = Schedule(fit=400, refine=800, lr=2e-2),  # noqa: B008
        candidates: Candidates | None = None,
    ) -> None:
        super().__init__(weights * (1 + 2 * num_qualities))
        self.count = weights
        self.quality = quality
        self.num_qualities = num_qualities
        self.prior = prior
        self.beta = beta
        self.limit = limit
        self.schedule = schedule
        self.lmbda = 0.0
        self.blocks: list[Tensor] | None = None
        self._coder = BlockCoder(prior, candidates or Candidates())

    @property
    def symbols(self) -> int:
        """The number of blocks, the same for every signal."""
        return len(self.blocks or [])

    def permutation(self, parts: Sequence[int]) -> PatchPermutation:
        """Every weight has its own order of the parts."""
        return PatchPermutation(groups(parts, self.max_group), self.count)

    @property
    def ready(self) -> bool:
        return self.blocks is not None

    def calibrate(
        self, latents: Float[Tensor, "N K"], metric: Float[Tensor, "H H"], observations: int
    ) -> None:
        """Draw the blocks and derive `lmbda` from beta: both are prices of the same bits.

        Latents and metric may be empty.
        """
        self.lmbda = NATS / (self.beta * observations)
        self.tabulate(latents)

    def tabulate(self, latents: Float[Tensor, "N K"]) -> None:
        """Draw the blocks; latents may be empty."""
        cost = self.prior.cost.detach().cpu().double() * NATS
        self.blocks = partition(cost, self.limit)
        self.max_group = MAX_GROUP

    def _posterior(self, latents: Float[Tensor, "B K"]) -> tuple[Tensor, Tensor]:
        """Means and rhos of this quality level."""
        parts = latents.unflatten(1, (1 + 2 * self.num_qualities, self.count))
        return parts[:, 1 + self.quality], parts[:, 1 + self.num_qualities + self.quality]

    def _gaussian(self, latents: Float[Tensor, "B K"]) -> Gaussian:
        mean, rho = self._posterior(latents)
        return Gaussian(mean, deviation(rho))

    def _latents(self, weights: Float[Tensor, "B W"]) -> Float[Tensor, "B K"]:
        return torch.nn.functional.pad(weights, (0, self.latent_dim - self.count))

    def forward(self, latents: Float[Tensor, "B K"]) -> tuple[Float[Tensor, "B K"], Tensor]:
        posterior = self._gaussian(latents)
        nats = divergence(posterior, self.prior.gaussian).sum(1)
        drawn = posterior.mean + posterior.sigma * torch.randn_like(posterior.mean)
        return self._latents(drawn), nats * NATS

    @torch.no_grad()
    def quantize(self, latents: Float[Tensor, "B K"]) -> Int[Tensor, "B L"]:
        """Candidates of the posteriors, without a search."""
        posterior, blocks = self._gaussian(latents), self._blocks(latents.device)
        return _stacked([self._coder.encode(posterior, block) for block in blocks], latents)

    @torch.no_grad()
    def dequantize(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B K"]:
        weights = self.prior.mean.detach().expand(len(symbols), -1).clone()
        for number, block in enumerate(self._blocks(symbols.device)):
            weights[:, block] = self._coder.decode(symbols[:, number], block)
        return self._latents(weights)

    def bits(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B"]:
        """Two bytes a block."""
        return torch.full((len(symbols),), float(BITS * symbols.shape[1]), device=symbols.device)

    @torch.no_grad()
    def search(
        self, latents: Float[Tensor, "B K"], distort: Distort, effort: float = 1.0
    ) -> Int[Tensor, "B L"]:
        """See `Refinement`."""
        posterior = Posterior.start(*self._posterior(latents))
        blocks = self._blocks(latents.device)
        refinement = Refinement(posterior, self._coder, blocks, distort, self.beta)
        return _stacked(refinement.run(self.schedule.scaled(effort)), latents)

    def _blocks(self, device: torch.device) -> list[Tensor]:
        assert self.blocks is not None
        return [block.to(device) for block in self.blocks]

    def compress(self, symbols: Int[Tensor, "P L"]) -> bytes:
        """Two bytes a block, little-endian, row by row."""
        return symbols.cpu().numpy().astype("<u2").tobytes()

    def decompress(self, payload: bytes, rows: int) -> Int[Tensor, "P L"]:
        size = 2 * rows * self.symbols
        if len(payload) != size:
            raise ContainerError(f"payload: {len(payload)} bytes, expected {size}")
        symbols = np.frombuffer(payload, "<u2").astype(np.int32)
        return torch.from_numpy(symbols.reshape(rows, self.symbols))

    def get_extra_state(self) -> dict[str, Tensor]:
        """The blocks, part of the state of the model."""
        if self.blocks is None:
            return {}
        empty = [torch.zeros(0, dtype=torch.long)]
        return {
            "order": torch.cat(empty + self.blocks).int(),
            "sizes": torch.tensor([len(block) for block in self.blocks], dtype=torch.int32),
            "max_group": torch.tensor(self.max_group, dtype=torch.int32),
        }

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Restore the blocks.

        Raises ContainerError for blocks of weights that the network does not have.
        """
        if state:
            sizes, order = state["sizes"].long(), state["order"].long()
            max_group = int(state["max_group"])
            inside = (order >= 0) & (order < self.count)
            if (sizes < 1).any() or not inside.all() or not 1 <= max_group <= MAX_GROUP:
                raise ContainerError("blocks of weights that the network does not have")
            self.blocks = list(order.split(sizes.tolist()))
            self.max_group = max_group


def _stacked(symbols: list[Int[Tensor, "B"]], like: Float[Tensor, "B K"]) -> Int[Tensor, "B L"]:
    """Symbols of all blocks, of which there may be 0."""
    return torch.stack(symbols, 1).int() if symbols else like.new_zeros(len(like), 0).int()
