"""Training rows that are cut at random places of clips, a whole batch at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from inrc import grid
from inrc.data import Batch, PatchDataset

STEPS = 65535
"""Levels in which features are stored; 16 bits need half the memory of float32."""


@dataclass(frozen=True)
class Store:
    """Clips T H W 3 as 16-bit integers, in half the memory.

    The error of a feature is at most 1/131070.
    """

    clips: tuple[Tensor, ...]

    @classmethod
    def of(cls, clips: Iterable[Tensor]) -> "Store":
        """Store clips T H W C, each of its own size."""
        return cls(
            tuple((clip.clamp(0, 1) * STEPS).round().sub(STEPS // 2).short() for clip in clips)
        )

    def blocks(self, clip: int, patch: Sequence[int], count: int) -> Float[Tensor, "N M C"]:
        """Blocks of one clip at uniformly drawn places, reflected where the clip is smaller."""
        whole = self.clips[clip]
        room = [max(n - p, 0) + 1 for n, p in zip(whole.shape, patch, strict=False)]
        start = torch.stack([torch.randint(n, (count,)) for n in room], dim=-1)
        return (grid.crop(whole, tuple(patch), start).float() + STEPS // 2) / STEPS


@dataclass(frozen=True, kw_only=True)
class CutRows(PatchDataset):
    """Rows that are blocks at random places of clips, drawn anew for every batch.

    Row i comes from clip i // per_clip. `features` are one such draw, with the right number and
    statistics, but other places than those of a batch.
    """

    store: Store
    per_clip: int
    patch: tuple[int, int, int]

    def __getitems__(self, index: Sequence[int]) -> Batch:
        """Rows by number, each from a new place of its clip, mirrored at random."""
        features = cut(self.store, [i // self.per_clip for i in index], self.patch)
        return Batch(self.queries, features, None, torch.as_tensor(index))


def cut(store: Store, clips: Sequence[int], patch: tuple[int, int, int]) -> Float[Tensor, "B M C"]:
    """One random block from each of the clips, by their numbers, mirrored at random."""
    which = torch.as_tensor(clips)
    features = torch.empty(len(which), patch[0] * patch[1] * patch[2], store.clips[0].shape[-1])
    for clip in which.unique().tolist():
        mine = which == clip
        features[mine] = store.blocks(clip, patch, int(mine.sum()))
    return mirror(features, patch)


def mirror(features: Float[Tensor, "B M C"], patch: tuple[int, int, int]) -> Tensor:
    """Mirror along time, y and x, each in half of the rows on average.

    Motion is as likely in one direction as in the other, except for falling and growing.
    """
    blocks = features.unflatten(1, patch)
    for axis in (1, 2, 3):
        chosen = torch.rand(len(blocks)) < 0.5
        blocks = torch.where(chosen[:, None, None, None, None], blocks.flip(axis), blocks)
    return blocks.flatten(1, 3)
