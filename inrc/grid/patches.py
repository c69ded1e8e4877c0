"""Grids: coordinates of their cells, and patches with their exact inverse."""

from math import prod

import torch
from einops import rearrange
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from inrc.errors import SignalError


def coordinates(
    shape: tuple[int, ...], low: float = -1.0, high: float = 1.0
) -> Float[Tensor, "M D"]:
    """Cell centres of a grid, row-major, every axis from `low` to `high`.

    The centre of cell i of n is low + (high - low) * (i + 0.5) / n, so that a grid twice as fine
    covers the same extent.
    """
    axes = [low + (high - low) * (torch.arange(n, dtype=torch.float64) + 0.5) / n for n in shape]
    mesh = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([axis.reshape(-1) for axis in mesh], dim=-1).float()


def counts(shape: tuple[int, ...], patch: tuple[int, ...]) -> tuple[int, ...]:
    """Number of patches along every axis; the last may extend beyond the grid.

    Raises:
        SignalError: a patch of another rank, or without cells.
    """
    if len(shape) != len(patch) or min(patch, default=1) < 1:
        raise SignalError(f"patch {patch} does not fit a grid of shape {shape}")
    return tuple(-(-n // p) for n, p in zip(shape, patch, strict=True))


def padded(shape: tuple[int, ...], patch: tuple[int, ...]) -> int:
    """Number of cells of all patches, with those beyond the grid."""
    return prod(counts(shape, patch)) * prod(patch)


def split(array: Float[Tensor, "*shape C"], patch: tuple[int, ...]) -> Float[Tensor, "P M C"]:
    """Cut a grid into patches, row-major; patches beyond the far ends are padded by reflection."""
    shape = tuple(array.shape[:-1])
    for axis, (n, many, p) in enumerate(zip(shape, counts(shape, patch), patch, strict=True)):
        if many * p != n:
            array = array.index_select(axis, _reflected(n, many * p))
    return rearrange(array, f"{_long(len(shape))} c -> {_parted(len(shape))} c", **_sizes(patch))


def join(
    parts: Float[Tensor, "P M C"], shape: tuple[int, ...], patch: tuple[int, ...]
) -> Float[Tensor, "*shape C"]:
    """Exact inverse of `split`, without the padding.

    Raises:
        SignalError: parts of another number or size.
    """
    many = counts(shape, patch)
    if parts.shape[:2] != (prod(many), prod(patch)):
        raise SignalError(f"parts {tuple(parts.shape)} are not patches {patch} of a grid {shape}")
    sizes = _sizes(patch) | {f"n{i}": n for i, n in enumerate(many)}
    array = rearrange(parts, f"{_parted(len(shape))} c -> {_long(len(shape))} c", **sizes)
    return array[tuple(slice(n) for n in shape)]


def crop(
    array: Shaped[Tensor, "*shape C"], patch: tuple[int, ...], start: Int[Tensor, "N D"]
) -> Shaped[Tensor, "N M C"]:
    """Patches that start at the given cells, padded by reflection beyond the grid."""
    index = []
    for axis, (n, p) in enumerate(zip(array.shape[:-1], patch, strict=True)):
        reach = int(start[:, axis].max()) + p
        cells = _reflected(n, max(reach, n))[start[:, axis, None] + torch.arange(p)]  # N p
        spread = [1] * len(patch)
        spread[axis] = p
        index.append(cells.reshape(-1, *spread))
    return array[tuple(index)].flatten(1, len(patch))


def _reflected(n: int, length: int) -> Int[Tensor, "length"]:
    """The first `length` cell numbers of 0..n-1 continued by reflection."""
    period = max(2 * n - 2, 1)
    cells = torch.arange(length) % period
    return torch.where(cells < n, cells, period - cells)


def _long(rank: int) -> str:
    return " ".join(f"(n{i} p{i})" for i in range(rank))


def _parted(rank: int) -> str:
    parts = " ".join(f"n{i}" for i in range(rank))
    cells = " ".join(f"p{i}" for i in range(rank))
    return f"({parts}) ({cells})"


def _sizes(patch: tuple[int, ...]) -> dict[str, int]:
    return {f"p{i}": p for i, p in enumerate(patch)}
