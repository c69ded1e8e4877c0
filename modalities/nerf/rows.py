"""Training rows of scenes: new random rays in every batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from inrc.data import Batch, PatchDataset
from inrc.errors import SignalError
from inrc_modalities.nerf import files
from inrc_modalities.nerf.cameras import Cameras
from inrc_modalities.nerf.modality import NeRF


@dataclass(frozen=True)
class Shots:
    """All views of a scene in memory, in 8 bits."""

    cameras: Cameras
    levels: UInt8[Tensor, "V pixels 3"]

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Random rays M 7 and their colours M 3; samples sit anywhere in their steps."""
        views = torch.randint(len(self.cameras), (count,))
        pixels = torch.randint(self.cameras.pixels, (count,))
        rays = self.cameras.rays(views, pixels, torch.rand(count))
        return rays, self.levels[views, pixels].float() / 255.0


def shots(modality: NeRF, path: Path) -> Shots:
    """Read all views of a scene over the background of the modality."""
    scene = files.load(path)
    levels = torch.empty(len(scene.cameras), scene.cameras.pixels, 3, dtype=torch.uint8)
    for number in range(len(scene.cameras)):
        view = torch.from_numpy(modality.view(scene, number)).reshape(-1, 3)
        levels[number] = (view * 255.0 + 0.5).to(torch.uint8)
    return Shots(scene.cameras, levels)


@dataclass(frozen=True, kw_only=True)
class RayRows(PatchDataset):
    """Scenes; a batch has `count` new random rays of each.

    `queries` and `features`, the rows without randomness, are rays spread evenly over the views.
    """

    scenes: tuple[Shots, ...]
    count: int

    def __getitems__(self, index: Sequence[int]) -> Batch:
        """Scenes by number, each seen along new rays."""
        drawn = [self.scenes[number].draw(self.count) for number in index]
        queries, features = (torch.stack(each) for each in zip(*drawn, strict=True))
        return Batch(queries, features, None, torch.as_tensor(index))


def even_rows(modality: NeRF, paths: Sequence[Path]) -> PatchDataset:
    """As many rays of every scene as the modality encodes, or the smallest scene has.

    Raises SignalError for a file that is not a scene.
    """
    signals = [modality.read(path) for path in paths]
    if not signals:
        raise SignalError("no scenes to read")
    count = min(signal.features.shape[1] for signal in signals)
    queries, features = [], []
    for signal in signals:
        have = signal.features.shape[1]
        some = torch.arange(count) * have // count
        queries.append(signal.queries[:, some])
        features.append(signal.features[:, some])
    return PatchDataset(torch.cat(queries), torch.cat(features))
