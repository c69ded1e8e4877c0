"""Magnetic resonance volumes, and anything else on a grid of voxels in a NIfTI file.

DataModules are imported at their first use, so that a codec does not import a trainer.
"""

from typing import TYPE_CHECKING

from inrc.lazy import exported
from inrc_modalities.mri.modality import MRI

if TYPE_CHECKING:
    from inrc_modalities.mri.data import MRIDataModule
    from inrc_modalities.mri.fastmri import FastMRI

__all__ = ["MRI", "FastMRI", "MRIDataModule"]
__getattr__ = exported(__name__, MRIDataModule="data", FastMRI="fastmri")
