"""Radiance scenes: views of something, from cameras that are known.

DataModules are imported at their first use, so that a codec does not import a trainer.
"""

from typing import TYPE_CHECKING

from inrc.lazy import exported
from inrc_modalities.nerf.modality import NeRF

if TYPE_CHECKING:
    from inrc_modalities.nerf.data import NeRFDataModule, NerfSynthetic, SRNCars

__all__ = ["NeRF", "NeRFDataModule", "NerfSynthetic", "SRNCars"]
__getattr__ = exported(__name__, NeRFDataModule="data", NerfSynthetic="data", SRNCars="data")
