"""Training rows that are mirrored, moved, or cut at random places, a whole batch at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inrc import grid
from inrc.data import Batch, PatchDataset


@dataclass(frozen=True, kw_only=True)
class MovedRows(PatchDataset):
    """Rows that are mirrored and moved at random, drawn anew for every batch.

    Half of the rows are mirrored left to right. All rows of a batch are moved by the same number of
    pixels, at most `shift`, with reflection at the edges. `side` is height and width of the grid of
    a row. Queries stay, so coordinates must be symmetric, as those of `inrc.grid.coordinates`.
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
    """Images of one size, and their numbers among all images.

    `pixels` times `unit` are features. 8-bit images stay in 8 bits until they are cut.
    """

    pixels: Tensor  # N H W C
    numbers: Int[Tensor, " N"]
    unit: float

    def cut(self, which: Int[Tensor, " B"], side: int) -> Float[Tensor, "B M C"]:
        """One square of each image, at places drawn uniformly."""
        room = [max(n - side, 0) + 1 for n in self.pixels.shape[1:3]]
        start = torch.stack([which, *(torch.randint(n, which.shape) for n in room)], dim=-1)
        return grid.crop(self.pixels, (1, side, side), start).float() * self.unit


@dataclass(frozen=True, kw_only=True)
class CroppedRows(PatchDataset):
    """Rows that are squares at random places of images, drawn anew for every batch.

    Row i comes from image i // per_image. `features` is one such draw, for methods that need rows
    without randomness: its size and its statistics are those of the batches.
    """

    stacks: tuple[Stack, ...]
    per_image: int
    side: int
    flip: bool

    def __getitems__(self, index: Sequence[int]) -> Batch:
        """Rows by number, each from a new place in its image."""
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


def move(features: Float[Tensor, "B M C"], side: tuple[int, int], shift: int) -> Tensor:
    """Move all rows by the same number of pixels, at most `shift`, with reflection at the edges."""
    pictures = features.unflatten(1, side)
    for axis, size in enumerate(side, 1):
        by = int(torch.randint(-shift, shift + 1, ()))
        cells = (torch.arange(size) + by).abs()
        cells = torch.where(cells < size, cells, 2 * size - 2 - cells).clamp(0, size - 1)
        pictures = pictures.index_select(axis, cells)
    return pictures.flatten(1, 2)


def cut(stacks: tuple[Stack, ...], images: Int[Tensor, " B"], side: int) -> Float[Tensor, "B M C"]:
    """One random square of each image, by their numbers."""
    pixels = stacks[0].pixels
    features = torch.empty(len(images), side * side, pixels.shape[-1])
    for stack in stacks:
        rows = torch.isin(images, stack.numbers)
        if rows.any():
            features[rows] = stack.cut(torch.searchsorted(stack.numbers, images[rows]), side)
    return features


def stack(images: Iterable[tuple[Float[Tensor, "H W C"], int]]) -> tuple[Stack, ...]:
    """Stacks of images of one size and depth, from images in [0, 1] and their bit depths."""
    groups: dict[tuple[int, ...], list[tuple[int, Tensor]]] = {}
    for number, (image, depth) in enumerate(images):
        # exact: an 8-bit value over 255, times 255, rounds to itself
        pixels = (image * 255.0).round().to(torch.uint8) if depth == 8 else image
        groups.setdefault((*image.shape[:2], depth), []).append((number, pixels))
    return tuple(
        Stack(
            torch.stack([image for _, image in members]),
            torch.tensor([number for number, _ in members]),
            1.0 / 255.0 if depth == 8 else 1.0,
        )
        for (_, _, depth), members in groups.items()
    )
