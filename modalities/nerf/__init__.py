"""Radiance scenes: views of something, from cameras that are known.

The DataModules are looked up when first asked for, so that a codec need not import a trainer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from inrc_modalities.nerf.modality import NeRF

if TYPE_CHECKING:
    from inrc_modalities.nerf.data import NeRFDataModule, NerfSynthetic, SRNCars

__all__ = ["NeRF", "NeRFDataModule", "NerfSynthetic", "SRNCars"]

_LATER = {"NeRFDataModule": "data", "NerfSynthetic": "data", "SRNCars": "data"}


def __getattr__(name: str) -> Any:
    """Import a DataModule when it is first asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
