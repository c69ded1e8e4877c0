"""Fields on a latitude/longitude grid of the globe, in NetCDF: reanalysis, models, satellites.

DataModules are imported at their first use, so that a codec does not import a trainer.
"""

from typing import TYPE_CHECKING

from inrc.lazy import exported
from inrc_modalities.era5.modality import ERA5

if TYPE_CHECKING:
    from inrc_modalities.era5.archive import Reanalysis
    from inrc_modalities.era5.data import ERA5DataModule

__all__ = ["ERA5", "ERA5DataModule", "Reanalysis"]
__getattr__ = exported(__name__, ERA5DataModule="data", Reanalysis="archive")
