"""Video clips: 8 bits, grey, 4:2:0 and its relatives, or RGB.

DataModules are imported at their first use, so that a codec does not import a trainer.
"""

from typing import TYPE_CHECKING

from inrc.lazy import exported
from inrc_modalities.video.modality import Video

if TYPE_CHECKING:
    from inrc_modalities.video.data import VideoDataModule
    from inrc_modalities.video.ucf101 import UCF101

__all__ = ["UCF101", "Video", "VideoDataModule"]
__getattr__ = exported(__name__, VideoDataModule="data", UCF101="ucf101")
