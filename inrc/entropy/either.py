"""16-bit floats or equally good fixed point, whichever is smaller."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.entropy.bottleneck import Distort
from inrc.entropy.half import Float16Bottleneck, Untrained
from inrc.entropy.weights import FixedPoint
from inrc.errors import ContainerError

RISE_OF_FLOATS = 1.0005
"""Ratio of distortions that is tolerated: 0.002 dB, about the loss of 16-bit floats."""


class HalfOrFixedPoint(Untrained):
    """The paper's 16-bit floats, or fixed point if it is as good in fewer bits, row by row.

    The symbols of a row are a 1 for floats or a 0, then those of `FixedPoint`; floats use the last
    K of them. A payload has a bit per row, the floats of all rows, and the stream of the others.

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
        """Floats: fixed point needs a `search`."""
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
        self, latents: Float[Tensor, "B K"], distort: Distort, effort: float = 1.0
    ) -> Int[Tensor, "B L"]:
        """Fixed point if it is as good and smaller. The effort is not used."""
        halves = self.floats.quantize(latents)
        clean = distort(latents).detach()
        rounded = distort(self.floats.dequantize(halves)).detach()
        allowed = torch.maximum(rounded, RISE_OF_FLOATS * clean)
        fixed = self.fixed.within(latents, distort, clean, allowed)
        good = distort(self.fixed.dequantize(fixed)).detach() <= allowed
        good &= self.fixed.bits(fixed) < self.floats.bits(halves)
        return torch.where(
            good[:, None],
            torch.nn.functional.pad(fixed, (1, 0)),
            self._floats(halves),
        )

    def bits(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B"]:
        bits = self.floats.bits(symbols[:, -self.latent_dim :])
        fixed = symbols[:, 0] == 0
        bits[fixed] = self.fixed.bits(symbols[fixed, 1:])
        return bits + 1.0

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
            raise ContainerError("payload: too short, or flags of networks that do not exist")
        floats = torch.from_numpy(flags[:rows].astype(bool))
        count = int(floats.sum())
        end = size + 2 * self.latent_dim * count
        symbols = torch.zeros(rows, self.symbols, dtype=torch.int32)
        symbols[floats] = self._floats(self.floats.decompress(payload[size:end], count))
        if count < rows:
            symbols[~floats, 1:] = self.fixed.decompress(payload[end:], rows - count)
        elif payload[end:]:
            raise ContainerError("payload: bytes after its end")
        return symbols
