"""Training rows that are mirrored, or cut at random places, a whole batch at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc import grid
from inrc.data import Batch, PatchDataset


@dataclass(frozen=True, kw_only=True)
class MovedRows(PatchDataset):
    """Rows that are mirrored left to right, half of them, and moved by a few pixels, ever anew.

    `side` is height and width of the grid of a row; its coordinates must be symmetric, as those
    of `inrc.grid.coordinates` are, because the queries stay. All rows of a batch are moved alike,
    by up to `shift` pixels, and what leaves the picture is replaced by reflection.
    """

    side: tuple[int, int]
    flip: bool = True
    shift: int = 0

    def __getitems__(self, index: Sequence[int]) -> Batch:
        """Rows by number, moved."""
        batch = super().__getitems__(index)
        features = mirror(batch.features, self.side) if self.flip else batch.features
        if self.shift:
            features = move(features, self.side, self.shift)
        return batch._replace(features=features)


@dataclass(frozen=True)
class Stack:
    """Images of one size, and the numbers that they have among all images.

    `pixels` times `unit` are features: 8-bit images stay in 8 bits until they are cut.
    """

    pixels: Tensor  # N H W C
    numbers: Int[Tensor, " N"]
    unit: float

    def cut(self, which: Int[Tensor, " B"], side: int) -> Float[Tensor, "B M C"]:
        """One square from each of the images, at places drawn evenly."""
        room = [max(n - side, 0) + 1 for n in self.pixels.shape[1:3]]
        start = torch.stack([which, *(torch.randint(n, which.shape) for n in room)], dim=-1)
        return grid.crop(self.pixels, (1, side, side), start).float() * self.unit


@dataclass(frozen=True, kw_only=True)
class CroppedRows(PatchDataset):
    """Rows that are squares at random places of images, drawn anew each time they are asked.

    Row i comes from image i // per_image. `features`, the rows without randomness, are one such
    draw: their number and their statistics are right, their places are not those of a batch.
    """

    stacks: tuple[Stack, ...]
    per_image: int
    side: int
    flip: bool

    def __getitems__(self, index: Sequence[int]) -> Batch:
        """Rows by number, each from a new place of its image."""
        rows = torch.as_tensor(index)
        features = cut(self.stacks, rows // self.per_image, self.side)
        if self.flip:
            features = mirror(features, (self.side, self.side))
        return Batch(self.queries, features, None, rows)


def mirror(features: Float[Tensor, "B M C"], side: tuple[int, int]) -> Float[Tensor, "B M C"]:
    """Mirror half of the rows, on average, left to right."""
    pictures = features.unflatten(1, side)
    chosen = torch.rand(features.shape[0], device=features.device) < 0.5
    return torch.where(chosen[:, None, None, None], pictures.flip(2), pictures).flatten(1, 2)


def move(features: Float[Tensor, "B M C"], side: tuple[int, int], most: int) -> Tensor:
    """Move all rows by the same few pixels, drawn at random, with reflection at the edges."""
    pictures = features.unflatten(1, side)
    for axis, size in enumerate(side, 1):
        by = int(torch.randint(-most, most + 1, ()))
        cells = (torch.arange(size) + by).abs()
        cells = torch.where(cells < size, cells, 2 * size - 2 - cells).clamp(0, size - 1)
        pictures = pictures.index_select(axis, cells)
    return pictures.flatten(1, 2)


def cut(stacks: tuple[Stack, ...], images: Int[Tensor, " B"], side: int) -> Float[Tensor, "B M C"]:
    """One random square from each of the images, by their numbers."""
    pixels = stacks[0].pixels
    features = torch.empty(len(images), side * side, pixels.shape[-1])
    for stack in stacks:
        mine = torch.isin(images, stack.numbers)
        if mine.any():
            features[mine] = stack.cut(torch.searchsorted(stack.numbers, images[mine]), side)
    return features


def stack(images: Iterable[tuple[Float[Tensor, "H W C"], int]]) -> tuple[Stack, ...]:
    """Sort images, given with their bit depths, into stacks of one size and depth."""
    sorts: dict[tuple[int, ...], list[tuple[int, Tensor]]] = {}
    for number, (image, depth) in enumerate(images):
        # exact: an 8-bit value over 255, times 255, rounds to itself
        kept = (image * 255.0).round().to(torch.uint8) if depth == 8 else image
        sorts.setdefault((*image.shape[:2], depth), []).append((number, kept))
    return tuple(
        Stack(
            torch.stack([image for _, image in found]),
            torch.tensor([number for number, _ in found]),
            1.0 / 255.0 if depth == 8 else 1.0,
        )
        for (_, _, depth), found in sorts.items()
    )
