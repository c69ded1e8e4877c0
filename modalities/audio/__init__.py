"""Sound: WAV, FLAC and Ogg of any rate, one to eight channels.

The DataModules are imported on first use, so that compressing does not import a trainer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from inrc_modalities.audio.modality import Audio

if TYPE_CHECKING:
    from inrc_modalities.audio.data import AudioDataModule
    from inrc_modalities.audio.librispeech import LibriSpeech

__all__ = ["Audio", "AudioDataModule", "LibriSpeech"]

_LATER = {"AudioDataModule": "data", "LibriSpeech": "librispeech"}


def __getattr__(name: str) -> Any:
    """Import a DataModule on its first use."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
