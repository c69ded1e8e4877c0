"""16-bit floats, and the base of bottlenecks that need no training."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.entropy.bottleneck import Bottleneck
from inrc.errors import ContainerError

HALF_BITS = 16
_MAX_FLOAT16 = 65504.0
"""The largest finite 16-bit float."""
MAX_SYMBOLS = 1 << 28
"""Maximum number of symbols of an archive: 1 GiB of memory."""


class Untrained(Bottleneck):
    """A bottleneck without learned parameters, ready from the start."""

    lmbda = 0.0
    needs_latents = False

    @property
    def ready(self) -> bool:
        return True

    def calibrate(
        self, latents: Float[Tensor, "N K"], metric: Float[Tensor, "H H"], observations: int
    ) -> None:
        """Do nothing; latents and metric may be empty."""

    def tabulate(self, latents: Float[Tensor, "N K"]) -> None:
        """Do nothing; latents may be empty."""

    def check(self, rows: int) -> None:
        """Raise ContainerError for more symbols than `MAX_SYMBOLS`; a short stream may hold any."""
        if rows * self.symbols > MAX_SYMBOLS:
            networks = f"{rows} networks of {self.latent_dim} weights"
            raise ContainerError(f"payload: {networks} are too many")


class Float16Bottleneck(Untrained):
    """16-bit floats (COIN, arXiv:2103.03123, sec. 3); symbols are their bits, 2 bytes a weight."""

    def quantize(self, latents: Float[Tensor, "B K"]) -> Int[Tensor, "B K"]:
        halves = latents.clamp(-_MAX_FLOAT16, _MAX_FLOAT16).half()
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
            raise ContainerError(f"payload: {len(payload)} bytes, expected {size}")
        numbers = np.frombuffer(payload, "<u2").astype(np.int32).reshape(rows, self.latent_dim)
        if ((numbers & 0x7C00) == 0x7C00).any():
            raise ContainerError("payload: weights that are not finite")
        return torch.from_numpy(numbers)
