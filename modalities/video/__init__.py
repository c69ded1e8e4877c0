"""Video clips: 8 bits, grey, 4:2:0 and its relatives, or RGB.

The DataModules are imported on first use, so that compressing does not import a trainer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from inrc_modalities.video.modality import Video

if TYPE_CHECKING:
    from inrc_modalities.video.data import VideoDataModule
    from inrc_modalities.video.ucf101 import UCF101

__all__ = ["UCF101", "Video", "VideoDataModule"]

_LATER = {"VideoDataModule": "data", "UCF101": "ucf101"}


def __getattr__(name: str) -> Any:
    """Import a DataModule on its first use."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
