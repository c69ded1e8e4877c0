"""Sound: WAV, FLAC and Ogg of any rate, one to eight channels.

DataModules are imported at their first use, so that a codec does not import a trainer.
"""

from typing import TYPE_CHECKING

from inrc.lazy import exported
from inrc_modalities.audio.modality import Audio

if TYPE_CHECKING:
    from inrc_modalities.audio.data import AudioDataModule
    from inrc_modalities.audio.librispeech import LibriSpeech

__all__ = ["Audio", "AudioDataModule", "LibriSpeech"]
__getattr__ = exported(__name__, AudioDataModule="data", LibriSpeech="librispeech")
