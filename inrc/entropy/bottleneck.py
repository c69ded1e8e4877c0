"""The interface of a bottleneck: how a latent becomes bits."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from inrc.entropy.coder import Tables, decode, encode
from inrc.entropy.contexts import Contexts
from inrc.entropy.permutation import PatchPermutation, groups


class Bottleneck(nn.Module, ABC):
    """One point of the rate-distortion curve.

    Training calls `prepare`, `calibrate` (start from the latents of training signals), `forward`
    in every step, `tabulate` (freeze the integer tables) and `finish`. A file sees no more than
    `search` or `quantize`, `dequantize`, `compress` and `decompress`, between them and its rows `slots`.
    """

    lmbda: float
    """What one unit of mean squared error is worth, in bits per observation."""
    max_group = 1
    """Parts of a signal that share their rows of symbols, at most; 1: each has its own."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.tables: Tables | None = None

    @property
    def symbols(self) -> int:
        """Integers per row, as many as latents unless a subclass says otherwise."""
        return self.latent_dim

    @property
    def ready(self) -> bool:
        """Files can be written: training has come to its end, or none is needed."""
        return self.tables is not None

    @property
    def needs_latents(self) -> bool:
        """`calibrate` and `tabulate` look at latents; without, these may be empty."""
        return True

    @property
    def needs_metric(self) -> bool:
        """`calibrate` looks at the metric; without, it may be empty."""
        return False

    def permutation(self, parts: Sequence[int]) -> PatchPermutation:
        """The way from rows, so many per signal, to the slots that symbols stand for, and back."""
        return PatchPermutation(groups(parts, self.max_group), self.latent_dim)

    def prepare(self) -> None:
        """Make what only training needs."""

    def finish(self) -> None:
        """Drop what only training needs; from here on the tables say it all."""

    @abstractmethod
    def calibrate(
        self, latents: Float[Tensor, "N K"], metric: Float[Tensor, "J J"], observations: int
    ) -> None:
        """Start from the latents of training signals of so many observations each.

        `metric` says what an error of the latent does to the signal: mse ~ d^T metric d. It is K by
        K, or empty where no quality level of all quality levels needs it.
        """

    @abstractmethod
    def forward(self, latents: Float[Tensor, "B K"]) -> tuple[Float[Tensor, "B K"], Tensor]:
        """Latents as the decoder will have them, and the bits (B) that they cost."""

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
        self,
        latents: Float[Tensor, "B K"],
        distort: Callable[[Tensor], Tensor],
        effort: float = 1.0,
    ) -> Int[Tensor, "B L"]:
        """Symbols for a file, which an encoder may take its time to find; default: `quantize`.

        `distort` takes latents (B K) as the decoder will have them, to each row's distortion (B),
        differentiably. `effort` is the time to be taken, as a share of the usual.
        """
        return self.quantize(latents)

    def compress(self, symbols: Int[Tensor, "P L"]) -> bytes:
        """All symbols of an archive as the bytes of its payload; default: range-coded tables."""
        assert self.tables is not None
        return encode(symbols.cpu().numpy().astype(np.int32, copy=False), self.tables)

    def decompress(self, payload: bytes, rows: int) -> Int[Tensor, "P L"]:
        """The symbols of `compress`, by integer arithmetic only.

        Raises ContainerError for a payload that it cannot have made.
        """
        assert self.tables is not None
        return torch.from_numpy(decode(payload, rows, self.symbols, self.tables))

    def bits(self, symbols: Int[Tensor, "B L"]) -> Float[Tensor, "B"]:
        """What the symbols cost under the frozen tables."""
        assert self.tables is not None
        bits = self.tables.bits(symbols.cpu().numpy().astype(np.int32))
        return torch.from_numpy(bits).float().to(symbols.device)

    def get_extra_state(self) -> dict[str, Tensor]:
        """The tables travel with the weights."""
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
        """Take the tables back."""
        if state:
            arrays: dict[str, NDArray[np.int32]] = {
                name: tensor.cpu().numpy().astype(np.int32) for name, tensor in state.items()
            }
            contexts = None
            if "choice" in arrays:  # models of version 3 and later have contexts, where they help
                none = np.zeros((len(arrays["choice"]), 0), np.int32)
                contexts = Contexts(
                    arrays["thresholds"], arrays.get("beside", none), arrays["choice"]
                )
            self.tables = Tables(arrays["counts"], arrays["lengths"], arrays["offsets"], contexts)
