"""Magnetic resonance volumes, and anything else on a grid of voxels in a NIfTI file.

The DataModules are looked up when first asked for, so that a codec need not import a trainer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from inrc_modalities.mri.modality import MRI

if TYPE_CHECKING:
    from inrc_modalities.mri.data import MRIDataModule
    from inrc_modalities.mri.fastmri import FastMRI

__all__ = ["MRI", "FastMRI", "MRIDataModule"]

_LATER = {"MRIDataModule": "data", "FastMRI": "fastmri"}


def __getattr__(name: str) -> Any:
    """Import a DataModule when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
