"""Relative entropy coding: a posterior becomes the number of one of 2^16 shared candidates."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.adapt.gaussian import NATS, Prior, deviation, divergence, temper
from inrc.adapt.posterior import Posterior
from inrc.entropy.blocks import partition
from inrc.entropy.bottleneck import Bottleneck
from inrc.entropy.candidates import BITS, Candidates, choose
from inrc.entropy.permutation import PatchPermutation, groups
from inrc.errors import ContainerError

WINDOW = 0.2
"""Bits around 16 within which a block's price stays as it is (COMBINER's released code)."""
TOLERANCE = 0.3
"""Bits around 16 to which a block is tempered before it is coded."""
EVERY = 10
"""Steps between two looks at the prices (RECOMBINER, arXiv:2309.17182, app. C)."""
FASTEST = 0.1
"""Largest change of a price's logarithm at one look: COMBINER's factor of 1.1."""
TOGETHER = 512
"""Parts of a signal that share their blocks, at most: an encoder holds them all at once."""
LATE = 0.1
"""Share of the learning rate that is left at the end of the fit."""


class RelativeBottleneck(Bottleneck):
    """COMBINER (arXiv:2305.19185), sec. 3: blocks of weights, 16 bits each, coded one by one.

    Which weights share a block is drawn once, from what they cost the training signals: a random
    order, filled up to 16 bits or `limit` weights. A weight that cost next to nothing is in no
    block and keeps the prior's mean. For a file every block's price beta is moved until it costs
    16 bits; then one block after the other is replaced by a candidate, and what is left makes up
    for the difference.

    The parts of one signal share their blocks, up to `max_group` of them: what a block codes of each
    weight is another part's (permutation.py). As every block has 16 bits, a flat part would otherwise
    waste what a busy one lacks.

    Symbols are candidates' numbers, one per block, two bytes each.

    Args:
        weights: W of the field.
        quality: which of the latent's R posteriors is this bottleneck's, and its prior's number.
        num_qualities: R.
        prior: of the weights, learned by the adapter.
        beta: what a nat costs in mean squared error.
        limit: weights of a block at most.
        fit: steps for all weights together.
        refine: steps between blocks, in all; most of them after the first, none at the end.
        lr: learning rate of Adam, down to a tenth at the end of the fit.
        negligible: bits below which a weight is left out.
        candidates: to be shared with other quality levels, as the encoder's table takes a second to make.
    """

    def __init__(
        self,
        weights: int,
        quality: int,
        num_qualities: int,
        prior: Prior,
        beta: float,
        limit: int = 64,
        fit: int = 400,
        refine: int = 800,
        lr: float = 2e-2,
        negligible: float = 0.01,
        candidates: Candidates | None = None,
    ) -> None:
        super().__init__(weights * (1 + 2 * num_qualities))
        self.count = weights
        self.quality = quality
        self.num_qualities = num_qualities
        self.prior = prior
        self.beta = beta
        self.limit = limit
        self.fit = fit
        self.refine = refine
        self.lr = lr
        self.negligible = negligible
        self.lmbda = 0.0
        self.blocks: list[Tensor] | None = None
        self._candidates = candidates or Candidates()

    @property
    def needs_latents(self) -> bool:
        """All that is needed of the training signals is in the prior."""
        return False

    @property
    def symbols(self) -> int:
        """Blocks, the same for every signal."""
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
        """Draw the blocks; `weight` follows from beta, as bits / M + weight mse is what it prices.

        Latents and metric may be empty.
        """
        self.lmbda = NATS / (self.beta * observations)
        self._partition()

    def tabulate(self, latents: Float[Tensor, "N K"]) -> None:
        """Draw the blocks anew; latents may be empty."""
        self._partition()

    def _partition(self) -> None:
        cost = self.prior.cost.detach().cpu().double() * NATS
        self.blocks = partition(cost, self.limit, self.negligible)
        self.max_group = TOGETHER

    def _posterior(self, latents: Float[Tensor, "B K"]) -> tuple[Tensor, Tensor]:
        """Means and rhos of this quality level."""
        parts = latents.unflatten(1, (1 + 2 * self.num_qualities, self.count))
        return parts[:, 1 + self.quality], parts[:, 1 + self.num_qualities + self.quality]

    def _whole(self, weights: Float[Tensor, "B W"]) -> Float[Tensor, "B K"]:
        return torch.nn.functional.pad(weights, (0, self.latent_dim - self.count))

    def forward(self, latents: Float[Tensor, "B K"]) -> tuple[Float[Tensor, "B K"], Tensor]:
        mean, rho = self._posterior(latents)
        sigma = deviation(rho)
        nats = divergence(mean, sigma, self.prior.mean.detach(), self.prior.sigma).sum(1)
        return self._whole(mean + sigma * torch.randn_like(mean)), nats * NATS

    @torch.no_grad()
    def quantize(self, latents: Float[Tensor, "B K"]) -> Int[Tensor, "B L"]:
        """Candidates for posteriors as they are: no prices, no refinement."""
        mean, rho = self._posterior(latents)
        sigma = deviation(rho)
        found = [self._code(mean, sigma, block) for block in self._blocks(mean.device)]
        return torch.stack(found, 1).int() if found else mean.new_zeros(len(mean), 0).int()

    @torch.no_grad()
    def dequantize(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B K"]:
        weights = self.prior.mean.detach().expand(len(symbols), -1).clone()
        for number, block in enumerate(self._blocks(symbols.device)):
            weights[:, block] = self._value(symbols[:, number], block)
        return self._whole(weights)

    def bits(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B"]:
        """Two bytes a block."""
        return torch.full((len(symbols),), float(BITS * symbols.shape[1]), device=symbols.device)

    @torch.no_grad()
    def search(
        self,
        latents: Float[Tensor, "B K"],
        distort: Callable[[Tensor], Tensor],
        effort: float = 1.0,
    ) -> Int[Tensor, "B L"]:
        """Prices to 16 bits a block, then block after block with refinement between them."""
        mean, rho = self._posterior(latents)
        blocks = self._blocks(mean.device)
        posterior = Posterior.start(mean, rho)
        kept = mean.new_zeros(self.count)
        for block in blocks:
            kept[block] = 1.0
        value = self.prior.mean.detach().expand_as(mean).clone()
        prices = mean.new_full((len(mean), len(blocks)), math.log(self.beta))
        fit, refine = (max(EVERY, round(steps * effort)) for steps in (self.fit, self.refine))
        for step in range(fit if blocks else 0):
            decay = 0.5 + 0.5 * math.cos(math.pi * step / fit)
            lr = self.lr * (LATE + (1.0 - LATE) * decay)
            self._step(posterior, value, kept, distort, prices, blocks, lr)
            if step % EVERY == EVERY - 1 and step >= fit // 10:
                self._control(posterior, prices, blocks, 0)
        found = []
        for number, block in enumerate(blocks):
            symbols = self._code(posterior.mean, posterior.sigma, block)
            found.append(symbols)
            value[:, block] = self._value(symbols, block)
            kept[block] = 0.0
            for step in range(self._pause(number, refine)):
                self._step(posterior, value, kept, distort, prices, blocks, self.lr * LATE)
                if step % EVERY == 0:
                    self._control(posterior, prices, blocks, number + 1)
        return torch.stack(found, 1).int() if found else mean.new_zeros(len(mean), 0).int()

    def costs(self, posterior: Posterior) -> Float[Tensor, "B L"]:
        """What every block of every row costs, in bits."""
        nats = divergence(
            posterior.mean, posterior.sigma, self.prior.mean.detach(), self.prior.sigma
        )
        return torch.stack([nats[:, b].sum(1) for b in self._blocks(nats.device)], 1) * NATS

    def _pause(self, number: int, refine: int) -> int:
        """Steps of refinement after this block: a share that falls with what is left to refine."""
        done = [round(refine * (1.0 - (1.0 - n / self.symbols) ** 2))
                for n in (number, number + 1)]  # fmt: skip
        return done[1] - done[0] if number + 1 < self.symbols else 0

    def _step(
        self,
        posterior: Posterior,
        value: Tensor,
        kept: Tensor,
        distort: Callable[[Tensor], Tensor],
        prices: Tensor,
        blocks: list[Tensor],
        lr: float,
    ) -> None:
        """One step of the weights that are `kept` open, the others being at their `value`."""
        noise = torch.randn_like(value)
        drawn = torch.where(kept > 0, posterior.mean + posterior.sigma * noise, value)
        with torch.enable_grad():
            drawn.requires_grad_()
            (slope,) = torch.autograd.grad(distort(drawn).sum(), drawn)
        beta = torch.full_like(value, self.beta)
        for number, block in enumerate(blocks):
            beta[:, block] = prices[:, number : number + 1].exp()
        posterior.step(
            slope, slope * noise, self.prior.mean.detach(), self.prior.sigma, beta, lr, kept
        )

    def _control(
        self, posterior: Posterior, prices: Tensor, blocks: list[Tensor], done: int
    ) -> None:
        """Move the prices of the open blocks towards 16 bits."""
        over = self.costs(posterior) - BITS
        change = (over / 4.0).clamp(-1.0, 1.0) * FASTEST
        change[over.abs() < WINDOW] = 0.0
        prices[:, done:] += change[:, done:]

    def _code(self, mean: Tensor, sigma: Tensor, block: Tensor) -> Int[Tensor, "B"]:
        """A candidate per row for one block."""
        prior_mean, prior_sigma = self.prior.mean.detach()[block], self.prior.sigma[block]
        low, high = (BITS - TOLERANCE) / NATS, (BITS + TOLERANCE) / NATS
        tempered = temper(mean[:, block], sigma[:, block], prior_mean, prior_sigma, low, high)
        return choose(*tempered, prior_mean, prior_sigma, self._candidates)

    def _value(self, symbols: Int[Tensor, "B"], block: Tensor) -> Float[Tensor, "B D"]:
        """The weights of a block's candidates."""
        unit = self._candidates.rows(symbols.cpu().long().numpy(), len(block))
        unit_there = torch.from_numpy(unit.astype(np.float32)).to(symbols.device)
        return self.prior.mean.detach()[block] + self.prior.sigma[block] * unit_there

    def _blocks(self, device: torch.device) -> list[Tensor]:
        assert self.blocks is not None
        return [block.to(device) for block in self.blocks]

    def compress(self, symbols: Int[Tensor, "P L"]) -> bytes:
        """Two bytes a block, little-endian, row by row."""
        return symbols.cpu().numpy().astype("<u2").tobytes()

    def decompress(self, payload: bytes, rows: int) -> Int[Tensor, "P L"]:
        if len(payload) != 2 * rows * self.symbols:
            raise ContainerError(
                f"payload: {len(payload)} bytes, {2 * rows * self.symbols} were expected"
            )
        symbols = np.frombuffer(payload, "<u2").astype(np.int32)
        return torch.from_numpy(symbols.reshape(rows, self.symbols))

    def get_extra_state(self) -> dict[str, Tensor]:
        """The blocks travel with the weights."""
        if self.blocks is None:
            return {}
        empty = [torch.zeros(0, dtype=torch.long)]
        return {
            "order": torch.cat(empty + self.blocks).int(),
            "sizes": torch.tensor([len(block) for block in self.blocks], dtype=torch.int32),
            "together": torch.tensor(self.max_group, dtype=torch.int32),
        }

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Take the blocks back."""
        if state:
            sizes = [int(size) for size in state["sizes"]]
            self.blocks = list(state["order"].long().split(sizes))
            self.max_group = int(state.get("together", 1))  # models before version 4 have none
