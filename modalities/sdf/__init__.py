"""Shapes: closed surfaces as signed distances or occupancy, and grids of voxels.

DataModules are imported at their first use, so that a codec does not import a trainer.
"""

from typing import TYPE_CHECKING

from inrc.lazy import exported
from inrc_modalities.sdf.modality import SDF
from inrc_modalities.sdf.voxels import Voxels

if TYPE_CHECKING:
    from inrc_modalities.sdf.data import SDFDataModule
    from inrc_modalities.sdf.voxeldata import VoxelDataModule

__all__ = ["SDF", "SDFDataModule", "VoxelDataModule", "Voxels"]
__getattr__ = exported(__name__, SDFDataModule="data", VoxelDataModule="voxeldata")
