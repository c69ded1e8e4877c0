"""Shapes: closed surfaces as signed distances or occupancy, and grids of voxels.

The DataModules are looked up when first asked for, so that a codec need not import a trainer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from inrc_modalities.sdf.modality import SDF
from inrc_modalities.sdf.voxels import Voxels

if TYPE_CHECKING:
    from inrc_modalities.sdf.data import SDFDataModule
    from inrc_modalities.sdf.voxeldata import VoxelDataModule

__all__ = ["SDF", "SDFDataModule", "VoxelDataModule", "Voxels"]

_LATER = {"SDFDataModule": "data", "VoxelDataModule": "voxeldata"}


def __getattr__(name: str) -> Any:
    """Import a DataModule when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
