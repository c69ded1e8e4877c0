"""16-bit floats, or fixed point that is as good: whichever is smaller."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.entropy.half import Float16Bottleneck, Untrained
from inrc.entropy.weights import FixedPoint
from inrc.errors import ContainerError

LEAST = 1.0005
"""Rise of the distortion that counts as none: 0.002 dB, what 16-bit floats cost about."""


class HalfOrFixedPoint(Untrained):
    """The paper's 16-bit floats unless fixed point does the same in fewer bits, row by row.

    Symbols are a 1 for floats or a 0, then those of `FixedPoint`, of which floats use the last K. A
    payload has a bit per row, the floats of all rows, and the stream of all others.

    Args:
        tensors: latents of each tensor, in their order.
    """

    def __init__(self, tensors: Sequence[int]) -> None:
        super().__init__(sum(tensors))
        self.floats = Float16Bottleneck(self.latent_dim)
        self.fixed = FixedPoint(tensors, 0.002)

    @property
    def symbols(self) -> int:
        return 1 + self.fixed.symbols

    def quantize(self, latents: Float[Tensor, "B K"]) -> Int[Tensor, "B L"]:
        """Floats: what fixed point costs needs a `search`."""
        return self._floats(self.floats.quantize(latents))

    def _floats(self, halves: Int[Tensor, "B K"]) -> Int[Tensor, "B L"]:
        symbols = halves.new_zeros(len(halves), self.symbols)
        symbols[:, 0] = 1
        symbols[:, -self.latent_dim :] = halves
        return symbols

    def dequantize(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B K"]:
        floats = self.floats.dequantize(symbols[:, -self.latent_dim :])
        return torch.where(symbols[:, :1] == 1, floats, self.fixed.dequantize(symbols[:, 1:]))

    def search(
        self,
        latents: Float[Tensor, "B K"],
        distort: Callable[[Tensor], Tensor],
        effort: float = 1.0,
    ) -> Int[Tensor, "B L"]:
        """Fixed point as good as floats, if it is smaller; always the same effort."""
        halves = self.floats.quantize(latents)
        clean = distort(latents).detach()
        allowed = torch.maximum(distort(self.floats.dequantize(halves)).detach(), LEAST * clean)
        fixed = self.fixed.within(latents, distort, clean, allowed)
        good = distort(self.fixed.dequantize(fixed)).detach() <= allowed
        good &= self.fixed.bits(fixed) < self.floats.bits(halves)
        return torch.where(
            good[:, None],
            torch.nn.functional.pad(fixed, (1, 0)),
            self._floats(halves),
        )

    def bits(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B"]:
        found = self.floats.bits(symbols[:, -self.latent_dim :])
        fixed = symbols[:, 0] == 0
        found[fixed] = self.fixed.bits(symbols[fixed, 1:])
        return found + 1.0

    def compress(self, symbols: Int[Tensor, "P L"]) -> bytes:
        """See the class."""
        floats = symbols[:, 0] == 1
        flags = np.packbits(floats.cpu().numpy())
        halves = self.floats.compress(symbols[floats, -self.latent_dim :])
        rest = symbols[~floats, 1:]
        return flags.tobytes() + halves + (self.fixed.compress(rest) if len(rest) else b"")

    def decompress(self, payload: bytes, rows: int) -> Int[Tensor, "P L"]:
        self.check(rows)
        size = -(-rows // 8)
        flags = np.unpackbits(np.frombuffer(payload[:size], np.uint8))
        if len(flags) < rows or flags[rows:].any():
            raise ContainerError("payload: too short, or flags of networks that there are not")
        floats = torch.from_numpy(flags[:rows].astype(bool))
        many = int(floats.sum())
        end = size + 2 * self.latent_dim * many
        symbols = torch.zeros(rows, self.symbols, dtype=torch.int32)
        symbols[floats] = self._floats(self.floats.decompress(payload[size:end], many))
        if many < rows:
            symbols[~floats, 1:] = self.fixed.decompress(payload[end:], rows - many)
        elif payload[end:]:
            raise ContainerError("payload: bytes left over")
        return symbols
