"""Folders of meshes as training data."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from inrc.data import PatchDataset, SignalDataModule
from inrc.errors import UsageError
from inrc_modalities.sdf import points
from inrc_modalities.sdf.modality import SDF


@dataclass(kw_only=True, eq=False)
class SDFDataModule(SignalDataModule):
    """Any folder of closed meshes, searched recursively, or one mesh.

    Args:
        samples: points of a file.
        near: share of them near its surface; 0 for methods that solve in closed form.
        resolution: cells of the grid along the cube at decoding.
        truncation: distance, in half sides of the cube, at which distances are cut.
        field: "distance" or "occupancy".
        emphasis: weight of an observation on the surface.
        weighted: use the emphasis in training, too, and not only when files are encoded. Methods
            with a closed form need False: rows with different weights would each need a matrix.
        turns: rows made of every training file, 1 to 48: itself and mirrored or turned by the
            symmetries of the cube, at no further cost of reading; needs `near` 0.
        seed: seed of the sample and of the points.

    Raises:
        UsageError: an option out of range, or turns with points near the surface.
        SignalError: a folder without meshes, or a mesh without an inside.
    """

    samples: int = 16384
    near: float = 0.0
    resolution: int = 128
    truncation: float = 0.2
    field: str = "distance"
    emphasis: float = 1.0
    weighted: bool = True
    turns: int = 1
    val_fraction: float = 0.1
    sample_folder: Path = Path("runs/sample/sdf")
    sample_count: int = 64

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        if not 1 <= self.turns <= points.TURNS or (self.turns > 1 and self.near > 0):
            raise UsageError(f"data.turns: {self.turns}; give 1 to {points.TURNS}, and near: 0")

    def build_modality(self) -> SDF:
        """Meshes of these options."""
        return SDF(
            self.samples, self.near, self.resolution, self.truncation, self.field, self.emphasis,
            self.seed,
        )  # fmt: skip

    def training_rows(self, paths: list[Path]) -> PatchDataset:
        """Points of every file and of its turned images."""
        rows = super().training_rows(paths)
        if not self.weighted:
            rows = PatchDataset(rows.queries, rows.features)
        return turned(rows, self.turns)


def turned(rows: PatchDataset, turns: int) -> PatchDataset:
    """Rows of shapes at the shared points of `points.space`, and of so many images of each.

    Row i * turns + j is shape i moved by a symmetry of the cube; which one depends on i, too, and
    the first is the shape itself.
    """
    if turns == 1:
        return rows
    count = rows.features.shape[1]
    order = np.random.default_rng(0)
    features, weights = [], []
    for i in range(len(rows)):
        for turn in [0, *(1 + order.permutation(points.TURNS - 1)[: turns - 1])]:
            index = torch.from_numpy(points.turned(count, int(turn)))
            features.append(rows.features[i, index])
            if rows.weights is not None:
                weights.append(rows.weights[i, index])
    return PatchDataset(
        rows.queries, torch.stack(features), torch.stack(weights) if weights else None
    )
