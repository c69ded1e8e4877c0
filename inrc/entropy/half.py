"""16-bit floats, and what bottlenecks share that need no training."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.entropy.bottleneck import Bottleneck
from inrc.errors import ContainerError

HALF_BITS = 16
_LARGEST = 65504.0
"""The largest finite 16-bit float."""
LIMIT = 1 << 28
"""Symbols of an archive at most: 1 GiB of memory."""


class Untrained(Bottleneck):
    """A bottleneck that is ready from the start, as nothing of it is learned."""

    lmbda = 0.0

    @property
    def ready(self) -> bool:
        return True

    @property
    def needs_latents(self) -> bool:
        return False

    def calibrate(
        self, latents: Float[Tensor, "N K"], metric: Float[Tensor, "H H"], observations: int
    ) -> None:
        """Nothing to learn; latents and metric may be empty."""

    def tabulate(self, latents: Float[Tensor, "N K"]) -> None:
        """Nothing to freeze; latents may be empty."""

    def forward(self, latents: Float[Tensor, "B K"]) -> tuple[Float[Tensor, "B K"], Tensor]:
        symbols = self.quantize(latents.detach())
        rounded = self.dequantize(symbols)
        return latents + (rounded - latents).detach(), self.bits(symbols)

    def check(self, rows: int) -> None:
        """A short stream may stand for any number of symbols: bound them before they are made."""
        if rows * self.symbols > LIMIT:
            raise ContainerError(f"payload: {rows} networks of {self.latent_dim} weights")


class Float16Bottleneck(Untrained):
    """16-bit floats (COIN, arXiv:2103.03123, sec. 3), two bytes a weight; symbols: their bits."""

    def quantize(self, latents: Float[Tensor, "B K"]) -> Int[Tensor, "B K"]:
        halves = latents.clamp(-_LARGEST, _LARGEST).half()
        return halves.view(torch.int16).int() & 0xFFFF

    def dequantize(self, symbols: Int[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        signed = torch.where(symbols > 0x7FFF, symbols - 0x10000, symbols)
        return signed.to(torch.int16).view(torch.float16).float()

    def bits(self, symbols: Int[Tensor, "B K"]) -> Float[Tensor, "B"]:
        """16 each."""
        size = float(HALF_BITS * symbols.shape[1])
        return torch.full((len(symbols),), size, device=symbols.device)

    def compress(self, symbols: Int[Tensor, "P K"]) -> bytes:
        """Little-endian, row by row."""
        return symbols.cpu().numpy().astype("<u2").tobytes()

    def decompress(self, payload: bytes, rows: int) -> Int[Tensor, "P K"]:
        size = rows * self.latent_dim * HALF_BITS // 8
        if len(payload) != size:
            raise ContainerError(f"payload: {len(payload)} bytes, {size} were expected")
        numbers = np.frombuffer(payload, "<u2").astype(np.int32).reshape(rows, self.latent_dim)
        if ((numbers & 0x7C00) == 0x7C00).any():
            raise ContainerError("payload: weights that are not finite")
        return torch.from_numpy(numbers)
