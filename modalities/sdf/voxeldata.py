"""Grids of voxels as training data, ShapeNet's among them."""

from pathlib import Path
from typing import ClassVar

from inrc.data import SignalDataModule
from inrc.errors import SignalError
from inrc_modalities.sdf.voxels import Voxels


class VoxelDataModule(SignalDataModule):
    """Voxels in ShapeNet's layout, `root`/CATEGORY/MODEL/model.binvox (or any name and suffix).

    Every category gives its last models, in order of their names, to validation; all grids must
    have as many voxels. A folder without categories is taken as one; None draws a small sample.
    Nothing is downloaded: ShapeNet is given to researchers who ask for it, for non-commercial use
    (shapenet.org; A. X. Chang et al., "ShapeNet: an information-rich 3D model repository", 2015).

    Args:
        root: folder with categories.
        categories: folders to take (WordNet offsets as 02691156); None takes all.
        per_category: models of a category to take, the first by name; None takes all.
        batch_size: rows per step and process.
        val_fraction: share of each category that is kept for validation.
        sample_folder: where the sample goes.
        sample_count: grids of the sample.
        seed: of the sample.
        workers: processes that read ahead.
        skip_bad: leave out files that cannot be read, with a line for each, instead of stopping at
            the first.

    Raises:
        SignalError: a folder or category that is missing or has no grid.
    """

    source: ClassVar[str] = "https://shapenet.org"

    def __init__(
        self,
        root: Path | None = None,
        categories: list[str] | None = None,
        per_category: int | None = None,
        batch_size: int = 16,
        val_fraction: float = 0.1,
        sample_folder: Path = Path("runs/sample/voxels"),
        sample_count: int = 64,
        seed: int = 0,
        workers: int = 0,
        skip_bad: bool = False,
    ) -> None:
        super().__init__(
            Voxels(), root, batch_size, val_fraction, sample_folder, sample_count, seed, workers,
            skip_bad,
        )  # fmt: skip
        self.categories = categories
        self.per_category = per_category

    def files(self) -> tuple[list[Path], list[Path]]:
        """Training files and validation files, category by category."""
        if self.root is None or self.root.is_file():
            return super().files()
        train: list[Path] = []
        held: list[Path] = []
        for folder in self._folders(self.root):
            paths = sorted(
                p for p in folder.rglob("*") if p.suffix.lower() in self.modality.suffixes
            )[: self.per_category]
            if not paths:
                wanted = ", ".join(self.modality.suffixes)
                raise SignalError(
                    f"{folder}: no voxels here (looked for {wanted}); get ShapeNet from "
                    f"{self.source}, or name other categories"
                )
            kept = min(max(round(len(paths) * self.val_fraction), 1), len(paths) - 1)
            train += paths[: len(paths) - kept]
            held += paths[len(paths) - kept :]
        return train, held or train

    def _folders(self, root: Path) -> list[Path]:
        if self.categories is not None:
            return [root / name for name in self.categories]
        folders = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
        return folders or [root]
