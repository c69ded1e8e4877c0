"""Folders of meshes as training data."""

from pathlib import Path

import numpy as np
import torch

from inrc.data import PatchDataset, SignalDataModule, read_rows
from inrc.errors import UsageError
from inrc_modalities.sdf import points
from inrc_modalities.sdf.modality import SDF


class SDFDataModule(SignalDataModule):
    """Any folder of closed meshes, searched recursively, or one mesh.

    Args:
        root: folder of meshes, or one mesh, which is then used for training and validation; None
            draws a small sample.
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
        batch_size: rows per step and process.
        val_fraction: share of the files, the last in order of their names, kept for validation.
        sample_folder: where the sample goes.
        sample_count: shapes of the sample.
        seed: of the sample and of the points.
        workers: processes that read ahead.
        skip_bad: leave out files that cannot be read, with a line for each, instead of stopping at
            the first.

    Raises:
        UsageError: turns that are not 1 to 48, or with points near the surface.
        SignalError: a folder without meshes, or a mesh without an inside.
    """

    def __init__(
        self,
        root: Path | None = None,
        samples: int = 16384,
        near: float = 0.0,
        resolution: int = 128,
        truncation: float = 0.2,
        field: str = "distance",
        emphasis: float = 1.0,
        weighted: bool = True,
        turns: int = 1,
        batch_size: int = 16,
        val_fraction: float = 0.1,
        sample_folder: Path = Path("runs/sample/sdf"),
        sample_count: int = 64,
        seed: int = 0,
        workers: int = 0,
        skip_bad: bool = False,
    ) -> None:
        self.shapes = SDF(samples, near, resolution, truncation, field, emphasis, seed)
        super().__init__(
            self.shapes, root, batch_size, val_fraction, sample_folder, sample_count, seed,
            workers, skip_bad,
        )  # fmt: skip
        if not 1 <= turns <= points.TURNS or (turns > 1 and near > 0):
            raise UsageError(f"meshes: turns {turns}; give 1 to {points.TURNS}, and near: 0")
        self.turns = turns
        self.weighted = weighted

    def setup(self, stage: str) -> None:
        """Read all files into memory, once."""
        if self.train_rows is None:
            self.train_paths, self.val_paths = self.usable_files()
            rows = read_rows(self.modality, self.train_paths)
            if not self.weighted:
                rows = PatchDataset(rows.queries, rows.features)
            self.train_rows = turned(rows, self.turns)
            self.val_rows = read_rows(self.modality, self.val_paths)


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
