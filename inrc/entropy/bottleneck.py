"""The interface of a bottleneck: how a latent becomes bits."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from inrc.entropy.coder import Tables, decode, encode
from inrc.entropy.contexts import Contexts
from inrc.entropy.permutation import PatchPermutation, groups
from inrc.errors import ContainerError

Distort = Callable[[Tensor], Tensor]
"""Latents B K, as the decoder will have them, to each row's distortion B, differentiably."""


class Bottleneck(nn.Module, ABC):
    """One point of the rate-distortion curve.

    Training calls `prepare`, `calibrate`, `forward` in every step, `tabulate` and `finish`. A codec
    calls `search` or `quantize`, `dequantize`, `compress` and `decompress`; `permutation` maps the
    parts of a signal to rows of symbols.
    """

    lmbda: float
    """Price of one unit of mean squared error, in bits per observation."""
    needs_latents: ClassVar[bool] = True
    """Whether `calibrate` and `tabulate` use latents; if not, these may be empty."""
    needs_metric: ClassVar[bool] = False
    """Whether `calibrate` uses the metric; if not, it may be empty."""
    max_group = 1
    """Maximum number of parts of a signal that share rows of symbols."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.tables: Tables | None = None

    @property
    def symbols(self) -> int:
        """Number of integers per row; by default the number of latents."""
        return self.latent_dim

    @property
    def ready(self) -> bool:
        """Whether files can be written: after training, or if none is needed."""
        return self.tables is not None

    def permutation(self, parts: Sequence[int]) -> PatchPermutation:
        """The permutation between parts, so many per signal, and rows of symbols."""
        return PatchPermutation(groups(parts, self.max_group), self.latent_dim)

    def prepare(self) -> None:
        """Create the modules that only training needs."""

    def finish(self) -> None:
        """Remove the modules that only training needs."""

    @abstractmethod
    def calibrate(
        self, latents: Float[Tensor, "N K"], metric: Float[Tensor, "J J"], observations: int
    ) -> None:
        """Initialise from the latents of training signals of so many observations each.

        `metric` relates an error d of the latent to the signal: mse ~ d^T metric d. It is K by K,
        or empty if no quality level needs it.
        """

    def forward(self, latents: Float[Tensor, "B K"]) -> tuple[Float[Tensor, "B K"], Tensor]:
        """Latents as the decoder will have them, and the bits (B) that they take.

        By default those of `quantize`, with the gradient of the identity (straight through).
        """
        symbols = self.quantize(latents.detach())
        rounded = self.dequantize(symbols)
        return latents + (rounded - latents).detach(), self.bits(symbols)

    @abstractmethod
    def quantize(self, latents: Float[Tensor, "B K"]) -> Int[Tensor, "B L"]:
        """Integer symbols of the latents."""

    @abstractmethod
    def dequantize(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B K"]:
        """Latents of the symbols."""

    @abstractmethod
    def tabulate(self, latents: Float[Tensor, "N K"]) -> None:
        """Freeze the integer tables, from the latents of training signals."""

    def search(
        self, latents: Float[Tensor, "B K"], distort: Distort, effort: float = 1.0
    ) -> Int[Tensor, "B L"]:
        """Symbols for a file, by a search; by default those of `quantize`.

        `effort` is the time that the search may take, relative to the default.
        """
        return self.quantize(latents)

    def compress(self, symbols: Int[Tensor, "P L"]) -> bytes:
        """All symbols of an archive as its payload; by default a range-coded stream."""
        assert self.tables is not None
        return encode(symbols.cpu().numpy().astype(np.int32, copy=False), self.tables)

    def decompress(self, payload: bytes, rows: int) -> Int[Tensor, "P L"]:
        """The symbols of `compress`, by integer arithmetic only.

        Raises ContainerError for a damaged payload.
        """
        assert self.tables is not None
        return torch.from_numpy(decode(payload, rows, self.symbols, self.tables))

    def bits(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B"]:
        """Bits of the symbols under the frozen tables."""
        assert self.tables is not None
        bits = self.tables.bits(symbols.cpu().numpy().astype(np.int32))
        return torch.from_numpy(bits).float().to(symbols.device)

    def get_extra_state(self) -> dict[str, Tensor]:
        """The tables, part of the state of the model."""
        t = self.tables
        if t is None:
            return {}
        arrays = {"counts": t.counts, "lengths": t.lengths, "offsets": t.offsets}
        if t.contexts is not None:
            arrays["thresholds"] = t.contexts.thresholds.astype(np.int16)
            if t.contexts.beside.shape[1]:
                arrays["beside"] = t.contexts.beside.astype(np.int16)
            arrays["choice"] = t.contexts.choice.astype(np.int16)
        return {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        """Restore the tables.

        Raises ContainerError for malformed tables, or tables of another number of symbols.
        """
        if state:
            arrays: dict[str, NDArray[np.int32]] = {
                name: tensor.cpu().numpy().astype(np.int32) for name, tensor in state.items()
            }
            contexts = None
            if "choice" in arrays:
                empty = np.zeros((len(arrays["choice"]), 0), np.int32)
                contexts = Contexts(
                    arrays["thresholds"], arrays.get("beside", empty), arrays["choice"]
                )
            self.tables = Tables(arrays["counts"], arrays["lengths"], arrays["offsets"], contexts)
            rows = len(arrays["lengths"]) if contexts is None else len(contexts.choice)
            if rows != self.symbols and (contexts is not None or rows != 1):
                raise ContainerError(f"probability tables: {rows} for {self.symbols} symbols")
