"""Grids of voxels as training data, ShapeNet's among them."""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from inrc.data import SignalDataModule, list_files, num_held_out, option
from inrc_modalities.sdf.voxels import Voxels


@dataclass(kw_only=True, eq=False)
class VoxelDataModule(SignalDataModule):
    """Voxels in ShapeNet's layout, `root`/CATEGORY/MODEL/model.binvox (or any name and suffix).

    Every category gives its last models, in order of their names, to validation; all grids must
    have as many voxels. A folder without categories is taken as one.
    Nothing is downloaded: ShapeNet is given to researchers who ask for it, for non-commercial use
    (shapenet.org; A. X. Chang et al., "ShapeNet: an information-rich 3D model repository", 2015).

    Args:
        categories: folders to take (WordNet offsets as 02691156); None takes all.
        per_category: models of a category to take, the first by name; None takes all.

    Raises:
        UsageError: an option out of range.
        SignalError: a folder or category that is missing or has no grid.
    """

    categories: list[str] | None = None
    per_category: int | None = option(None, least=1)
    val_fraction: float = 0.1
    sample_folder: Path = Path("runs/sample/voxels")
    sample_count: int = 64

    def build_modality(self) -> Voxels:
        """Grids of voxels."""
        return Voxels()

    def list_files(self, root: Path) -> list[Path]:
        """The first files of every category, or the one file."""
        folders = [root] if root.is_file() else self._folders(root)
        return [
            path
            for folder in folders
            for path in list_files(folder, self.modality)[: self.per_category]
        ]

    def hold_out(self, paths: list[Path]) -> tuple[list[Path], list[Path]]:
        """Keep the last files of every category for validation."""
        root = self.root or self.sample_folder
        train: list[Path] = []
        val: list[Path] = []
        for _, group in groupby(paths, lambda path: path.relative_to(root).parts[:-1][:1]):
            members = list(group)
            first = len(members) - num_held_out(len(members), self.val_fraction)
            train += members[:first]
            val += members[first:]
        return train, val or train

    def _folders(self, root: Path) -> list[Path]:
        if self.categories is not None:
            return [root / name for name in self.categories]
        folders = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
        return folders or [root]
