"""Fields on a latitude/longitude grid of the globe, in NetCDF: reanalysis, models, satellites.

The DataModule is looked up when first asked for, so that a codec need not import a trainer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from inrc_modalities.era5.modality import ERA5

if TYPE_CHECKING:
    from inrc_modalities.era5.data import Globes

__all__ = ["ERA5", "Globes"]


def __getattr__(name: str) -> Any:
    """Import the DataModule when it is first asked for."""
    if name != "Globes":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.data").Globes
