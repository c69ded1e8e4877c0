"""Fields on a latitude/longitude grid of the globe, in NetCDF: reanalysis, models, satellites.

The DataModules are looked up when first asked for, so that a codec need not import a trainer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from inrc_modalities.era5.modality import ERA5

if TYPE_CHECKING:
    from inrc_modalities.era5.archive import Reanalysis
    from inrc_modalities.era5.data import ERA5DataModule

__all__ = ["ERA5", "ERA5DataModule", "Reanalysis"]

_LATER = {"ERA5DataModule": "data", "Reanalysis": "archive"}


def __getattr__(name: str) -> Any:
    """Import a DataModule when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
