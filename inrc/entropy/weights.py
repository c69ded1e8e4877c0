"""The weights of a network in fixed point, with a step for every tensor."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc.entropy.bottleneck import Distort
from inrc.entropy.family import SHAPES, WIDTHS
from inrc.entropy.half import Untrained
from inrc.entropy.stream import Reader, Writer, cheapest
from inrc.errors import ContainerError

STEPS = 128
"""Number of a step: 2^(-n/4), from 1 to 2^-31.75."""
BOUND = 1 << 30
"""Symbols are smaller than this."""
MAX_MULTIPLE = BOUND - 64  # the largest float32 below it
PROBE_RATIO = 256.0
"""Size of a tensor relative to the differences that estimate the curvature of the distortion."""
MAX_STEP = 0.5
"""Maximum step of a tensor as a share of its size."""
SCALES = (*(1.0 - n / 8 for n in range(24)), *(-2.0 - n for n in range(1, 12)))
"""Base-2 logarithms of the factors by which all steps are multiplied in turn."""


class FixedPoint(Untrained):
    """Weights as multiples of a step per tensor, range-coded with tables that need no model.

    With an error of variance step^2 / 12 in n weights of a tensor whose part of the distortion's
    Hessian has the trace h, the distortion rises by step^2 h / 24. Bits fall by log2(step) per
    weight, so that they are fewest at a given rise if every weight has the same share of it:
    step^2 = 24 (rise / K) n / h. All steps are multiplied by one factor, the largest at which
    quantised weights lose at most `loss` dB of PSNR.

    Symbols are the T numbers of the steps, then K multiples. A payload has, in one range-coded
    stream: the differences of the steps' numbers and of the tables' widths along all tensors, then
    every tensor with its table's shape in front.

    Args:
        tensors: latents of each tensor, in their order; they sum to K.
        loss: dB of PSNR that quantisation may cost.
    """

    def __init__(self, tensors: Sequence[int], loss: float = 0.1) -> None:
        super().__init__(sum(tensors))
        self.tensors = list(tensors)
        self.loss = loss

    @property
    def symbols(self) -> int:
        return len(self.tensors) + self.latent_dim

    def quantize(self, latents: Float[Tensor, "B K"]) -> Int[Tensor, "B L"]:
        """Steps from the weights' sizes alone: 1/128 of a tensor's root mean square for 0.1 dB."""
        return self._rounded(latents, self._sizes(latents) * (self.loss / 0.1) ** 0.5 / 128.0)

    def dequantize(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B K"]:
        steps, numbers = symbols[:, : len(self.tensors)], symbols[:, len(self.tensors) :]
        return numbers.float() * self._spread(torch.exp2(-0.25 * steps.float()))

    def search(
        self, latents: Float[Tensor, "B K"], distort: Distort, effort: float = 1.0
    ) -> Int[Tensor, "B L"]:
        """Steps for each row's own distortion. The effort is not used."""
        clean = distort(latents).detach()
        allowed = clean * 10.0 ** (self.loss / 10.0)
        return self.within(latents, distort, clean, allowed)

    def within(
        self,
        latents: Float[Tensor, "B K"],
        distort: Distort,
        clean: Float[Tensor, "B"],
        allowed: Float[Tensor, "B"],
    ) -> Int[Tensor, "B L"]:
        """Symbols with a distortion of at most `allowed`; `clean` is that without quantisation."""
        count = latents.new_tensor(self.tensors)
        rise = (allowed - clean).clamp_min(1e-6 * clean).clamp_min(1e-14)[:, None]
        trace = self._curvature(latents, distort, clean).clamp_min(1e-30)
        even = (24.0 * rise / self.latent_dim * count / trace).sqrt()  # B T
        even = torch.minimum(even, MAX_STEP * self._sizes(latents))
        best = self._rounded(latents, even * 2.0 ** SCALES[-1])
        left = torch.ones_like(clean, dtype=torch.bool)
        for scale in SCALES:  # coarse to fine: rounding is a matter of luck, and the first that is
            symbols = self._rounded(latents, even * 2.0**scale)  # good enough is taken
            fine = left & (distort(self.dequantize(symbols)).detach() <= allowed)
            best = torch.where(fine[:, None], symbols, best)
            left &= ~fine
            if not bool(left.any()):
                break
        return best

    def _curvature(
        self,
        latents: Float[Tensor, "B K"],
        distort: Distort,
        clean: Float[Tensor, "B"],
    ) -> Float[Tensor, "B T"]:
        """Traces of the blocks of the Hessian, E[v H v] over signs v: one pair +v, -v per tensor.

        The differences are as wide as quantisation is, not infinitely small: what counts is the
        distortion there. Where the weights are at no minimum it may be negative.
        """
        generator = torch.Generator().manual_seed(0)
        signs = torch.randint(2, latents.shape[1:], generator=generator).to(latents) * 2.0 - 1.0
        sizes = self._sizes(latents)
        traces = torch.zeros_like(sizes)
        at = 0
        for number, count in enumerate(self.tensors):
            part = slice(at, at + count)
            width = sizes[:, number] / PROBE_RATIO
            move = torch.zeros_like(latents)
            move[:, part] = signs[part] * width[:, None]
            both = distort(latents + move).detach() + distort(latents - move).detach()
            traces[:, number] = (both - 2.0 * clean) / width.square()
            at += count
        return traces

    def _sizes(self, latents: Float[Tensor, "B K"]) -> Float[Tensor, "B T"]:
        """Root mean square of each tensor."""
        sizes = torch.stack([t.square().mean(1).sqrt() for t in self._split(latents)], 1)
        return sizes.clamp_min(1e-6)

    def _split(self, latents: Float[Tensor, "B K"]) -> tuple[Tensor, ...]:
        return latents.split(self.tensors, dim=1)

    def _spread(self, steps: Float[Tensor, "B T"]) -> Float[Tensor, "B K"]:
        """A number per tensor to one per weight."""
        sizes = torch.tensor(self.tensors, device=steps.device)
        return steps.repeat_interleave(sizes, dim=1)

    def _rounded(
        self, latents: Float[Tensor, "B K"], steps: Float[Tensor, "B T"]
    ) -> Int[Tensor, "B L"]:
        """Symbols with the steps next to these."""
        numbers = torch.round(-4.0 * torch.log2(steps.clamp_min(1e-12))).clamp(0, STEPS - 1)
        spread = self._spread(torch.exp2(-0.25 * numbers))
        multiples = torch.round(latents / spread).clamp(-MAX_MULTIPLE, MAX_MULTIPLE)
        return torch.cat([numbers, multiples], 1).int()

    def bits(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B"]:
        """Bits of each row alone, with its steps and tables."""
        rows = [8.0 * len(self.compress(row[None])) for row in symbols]
        return torch.tensor(rows, device=symbols.device)

    def compress(self, symbols: Int[Tensor, "P L"]) -> bytes:
        """See the class."""
        numbers = symbols.cpu().numpy().astype(np.int64)
        count = len(self.tensors)
        ends = np.cumsum(self.tensors)[:-1]
        rows = [np.split(row, ends) for row in numbers[:, count:]]
        kinds = [cheapest(tensor)[0] for row in rows for tensor in row]
        writer = Writer()
        writer.block(np.diff(numbers[:, :count].flatten(), prepend=0))
        widths = [kind % WIDTHS for kind in kinds]
        writer.block(np.diff(np.array(widths), prepend=0))
        for tensor, kind in zip((t for row in rows for t in row), kinds, strict=True):
            writer.plain(kind // WIDTHS, SHAPES)
            writer.numbers(tensor, kind)
        return writer.bytes()

    def decompress(self, payload: bytes, rows: int) -> Int[Tensor, "P L"]:
        self.check(rows)
        reader = Reader(payload)
        count = len(self.tensors)
        steps = np.cumsum(reader.block(rows * count))
        widths = np.cumsum(reader.block(rows * count))
        if ((steps < 0) | (steps >= STEPS) | (widths < 0) | (widths >= WIDTHS)).any():
            raise ContainerError("payload: invalid step or table")
        symbols = np.empty((rows, self.symbols), np.int32)
        symbols[:, :count] = steps.reshape(rows, count)
        for row, own in zip(symbols, widths.reshape(rows, count), strict=True):
            at = count
            for size, width in zip(self.tensors, own, strict=True):
                kind = reader.plain(SHAPES) * WIDTHS + int(width)
                multiples = reader.numbers(size, kind)
                if np.abs(multiples).max(initial=0) >= BOUND:
                    raise ContainerError("payload: a weight out of range")
                row[at : at + size] = multiples
                at += size
        return torch.from_numpy(symbols)
